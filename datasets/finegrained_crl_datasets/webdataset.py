"""WebDataset shards of your own: tar files of pictures with their labels beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from finegrained_crl.data.layout import require_folder, text_lines
from finegrained_crl.data.picture_source import item_name
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.data.tar_shards import Sample, read_samples
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.tables.shards import part_of

CLASSES = "classes.txt"
NO_PICTURE = "no picture under the key"


@dataclass(frozen=True)
class WebDataset:
    """Reader of tar shards (https://github.com/webdataset/webdataset); each picture is an item of its shard.

    Args:
        label: what holds a picture's label: `cls` or `txt` (a member of that extension), or `json.FIELD`.
        subject: what names the person or object, so that a split keeps it together, likewise; none: unknown.
    """

    label: str = "cls"
    subject: str = ""

    summary: ClassVar[str] = "your own WebDataset shards (.tar), split by their names"
    where: ClassVar[str] = (
        "Give a folder of uncompressed shards as --data, named by their part (train-000000.tar, val-000000.tar, or"
        " train/000000.tar ..), whose members are KEY.jpg and KEY.cls (or KEY.json, --dataset.label json.FIELD); class"
        f" names, a line each, in {CLASSES}"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the shards below `data` (see `DataSource.read`); labels and pictures share their files."""
        require_folder(data, self.where)
        shards = sorted(path.relative_to(data) for path in data.rglob("*.tar") if not path.name.startswith("."))
        if not shards:
            raise FinegrainedError(f"{data}: no .tar file in it. {self.where}")
        columns: dict[str, list[Any]] = {"path": [], "label": [], "split": [], "subject": []}
        without = 0
        for shard in shards:
            samples = read_samples(data / shard)
            pictures = [sample for sample in samples if sample.picture is not None]
            without += len(samples) - len(pictures)
            columns["path"] += [item_name(shard.as_posix(), index) for index in range(len(pictures))]
            columns["label"] += [_note(data / shard, sample, self.label) for sample in pictures]
            columns["split"] += [_part(data, shard, self.where)] * len(pictures)
            if self.subject:
                columns["subject"] += [_note(data / shard, sample, self.subject) for sample in pictures]
        if not self.subject:
            del columns["subject"]
        alone = "test" not in columns["split"]
        if alone:  # what is held out and alone is what gets evaluated
            columns["split"] = ["test" if part == "val" else part for part in columns["split"]]
        names = _class_names(data, columns["label"])
        columns["label"] = _numbers(columns["label"], names)
        return make_records(
            dict(columns),
            class_names=names,
            root=data,
            protocol=f"{data.name}, {len(shards)} shards, split by their names" + ", val is the test part" * alone,
            dropped={NO_PICTURE: without} if without else {},
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """Nothing is published about shards of your own."""
        return {}


def _part(data: Path, shard: Path, where: str) -> str:
    part = part_of(shard)
    if part is None:
        raise FinegrainedError(f"{data / shard}: its name says neither train, val nor test. {where}")
    return part


def _note(shard: Path, sample: Sample, field: str) -> str:
    """What a member, or a field of a JSON member, says of a sample."""
    extension, _, key = field.partition(".")
    if extension not in sample.notes:
        there = ", ".join(f".{name}" for name in sorted(sample.notes)) or "no text"
        raise FinegrainedError(f"{shard}: '{sample.key}' has no .{extension} member ({there}); see --dataset.label")
    text = sample.notes[extension].strip()
    if not key:
        return text
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FinegrainedError(f"{shard}: '{sample.key}.json' has no field '{key}' ({type(error).__name__})") from error
    return str(value)


def _class_names(data: Path, labels: list[str]) -> tuple[str, ...]:
    """From the list; else whole numbers are names themselves, and words are sorted."""
    if (data / CLASSES).is_file():
        return tuple(text.strip() for _, text in text_lines(data / CLASSES))
    distinct = set(labels)
    if not all(label.isdecimal() for label in distinct):
        return tuple(sorted(distinct))
    numbers = {_plain_number(label) for label in distinct}
    names = tuple(map(str, range(len(numbers))))
    beyond = min(numbers - set(names), default=None)
    if beyond is not None:
        raise FinegrainedError(
            f"{data}: class number {beyond}, and {len(names)} different ones: they must run from 0 without a gap,"
            f" or {CLASSES} must name all classes"
        )
    return names


def _numbers(labels: list[str], names: tuple[str, ...]) -> list[int]:
    """Class indices; a label is a class's number or its name."""
    index = {name: number for number, name in enumerate(names)}
    unknown = next((label for label in labels if label not in index and not label.isdecimal()), None)
    if unknown is not None:
        raise FinegrainedError(f"label '{unknown}' is neither a number nor a name in {CLASSES}")
    return [index[label] if label in index else int(_plain_number(label)) for label in labels]


def _plain_number(label: str) -> str:
    """Without leading zeros; of a number that no class can have, as many digits as a class index may hold."""
    return (label.lstrip("0") or "0")[:18]


dataset = WebDataset
