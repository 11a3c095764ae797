"""The files of a data set that is published as files of many pictures, and their pictures as columns of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.data.array_files import ArrayFile, open_array_file
from finegrained_crl.data.layout import read_note, require_file
from finegrained_crl.data.picture_source import item_name
from finegrained_crl.data.regular import status
from finegrained_crl.errors import FinegrainedError

JPEG = b"\xff\xd8"


@dataclass(frozen=True)
class Layout:
    """One way in which a data set's files lie.

    Attributes:
        folder: name of the folder that the archive unpacks to.
        files: file -> split.
    """

    folder: str
    files: dict[str, str]


def find_layout(data: Path, layouts: Iterable[Layout], where: str) -> tuple[Path, dict[str, str]]:
    """The folder that holds a data set's files, and file -> split.

    Args:
        data: that folder, the one around it, or a Parquet file (or a folder of them, `train*` and `test*`).
        layouts: those known; the first of which any file is there counts.
        where: where the data come from, for the message.
    Raises:
        FinegrainedError: none of the files is there, or one of them is missing.
    """
    if data.is_file():
        return data.parent, {data.name: ""}
    for layout in layouts:
        for folder in (data, data / layout.folder):
            if any((folder / name).is_file() for name in layout.files):
                for name in layout.files:
                    require_file(folder / name, where)
                return folder, layout.files
    tables = sorted(path.name for path in data.glob("*.parquet")) if data.is_dir() else []
    if tables:
        return data, {name: _split_of(name) for name in tables}
    problem = "no such folder" if status(data) is None else "none of its files is there"
    raise FinegrainedError(f"{data}: {problem}. {where}")


def _split_of(name: str) -> str:
    return next((split for split in ("train", "test") if name.startswith(split)), "")


def read_columns(root: Path, files: dict[str, str], labels: tuple[str, ...]) -> dict[str, list[Any]]:
    """Path, label and split of every picture, file by file.

    Args:
        root: folder of the files.
        files: file -> split; "" where the file's own column `split` says it.
        labels: names that the column of labels may have.
    Raises:
        FinegrainedError: a damaged file, or one without labels or split.
    """
    columns: dict[str, list[Any]] = {"path": [], "label": [], "split": []}
    for name, split in files.items():
        content = open_array_file(root / name)
        columns["path"] += [item_name(name, index) for index in range(content.size)]
        columns["label"] += column_of(root / name, content, labels)
        columns["split"] += [split] * content.size if split else _splits(root / name, content)
    return columns


def column_of(path: Path, content: ArrayFile, names: tuple[str, ...]) -> list[int]:
    """The first of some columns that a file has, whole numbers.

    Raises:
        FinegrainedError: it has none of them, or one of other values.
    """
    name = next((name for name in names if name in content.columns), None)
    if name is None:
        raise FinegrainedError(f"{path}: no {' or '.join(names)} in it; is it the right file?")
    values = np.asarray(content.columns[name])
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise FinegrainedError(f"{path}: '{name}' must hold one whole number a picture; download it again")
    return [int(value) for value in values]


def _splits(path: Path, content: ArrayFile) -> list[str]:
    splits = content.columns.get("split")
    if splits is None:
        raise FinegrainedError(f"{path}: no column 'split', and its name begins with neither 'train' nor 'test'")
    return [str(split) for split in splits]


def generated_counts(data: Path, layouts: Iterable[Layout]) -> dict[str, int] | None:
    """The counts of a generated set in one of these layouts; None for a real one."""
    for folder in (data / layout.folder for layout in layouts):
        note = read_note(folder) or read_note(data)
        if note:
            return note.counts
    return None


def copy_note(root: Path, files: dict[str, str]) -> str:
    """What stands behind the name of a set that isn't the original: of JPEGs, which lost something on the way, or
    generated pictures.
    """
    note = read_note(root)
    if note:
        return f" layout of {note.name} (generated, seed {note.seed})"
    first = next(iter(files))
    content = open_array_file(root / first)
    return " (JPEG copy)" if content.size and content.pictures(0).startswith(JPEG) else ""
