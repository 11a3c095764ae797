"""A folder of your own: one folder per class, with or without train/ and val/ or test/ around them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from finegrained_crl.data.folds import seeded_split
from finegrained_crl.data.images import IMAGE_SUFFIXES
from finegrained_crl.data.layout import require_folder
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.errors import FinegrainedError

HELD_OUT = {"test": "test", "val": "val", "validation": "val"}


@dataclass
class _Found:
    """Images below class folders, and what else was there."""

    paths: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class ImageFolder:
    """Reader of class folders; images may lie deeper in them, hidden files are skipped.

    Attributes:
        test_fraction: share of the seeded test part, where there is no train/ folder.
        split_seed: seed of that part.
    """

    summary: ClassVar[str] = "your own folder with one sub-folder of images per class"
    where: ClassVar[str] = (
        "Give a folder as --data that holds train/CLASS/*.jpg and test/CLASS/*.jpg (or val/), or CLASS/*.jpg to have a seeded test part cut"
    )

    test_fraction: float = 0.2
    split_seed: int = 0

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """List the images below `data` (see `DataSource.read`); `labels_only` changes nothing, the files are the labels."""
        require_folder(data, self.where)
        if not (data / "train").is_dir():
            _refuse_held_out(data)
            return self._read_flat(data)
        parts = {"train": "train"} | {name: split for name, split in HELD_OUT.items() if (data / name).is_dir()}
        if len(parts) == 1:
            raise FinegrainedError(f"{data} has train/ but no test/, val/ or validation/; add one, or give {data / 'train'} as --data")
        if {"val", "validation"} <= parts.keys():
            raise FinegrainedError(f"{data} has both val/ and validation/; remove or rename one")
        return _read_parts(data, parts)

    def known_counts(self, data: Path) -> dict[str, int]:
        """Nothing is published about a folder of your own."""
        return {}

    def _read_flat(self, data: Path) -> Records:
        """Class folders alone: the test part is cut by seed, stratified."""
        found = _Found()
        names = _scan(data, data, "", found)
        _require_classes(data, names, self.where)
        classes, paths = pd.Series(found.classes), pd.Series(found.paths)
        _, test = seeded_split(classes, paths, self.test_fraction, self.split_seed)
        return make_records(
            {
                "path": found.paths,
                "label": [names.index(name) for name in found.classes],
                "split": np.where(np.isin(np.arange(len(paths)), test), "test", "train"),
            },
            class_names=tuple(names),
            root=data,
            protocol=f"{data.name}, seeded stratified split (test {self.test_fraction:g}, seed {self.split_seed})",
            dropped=dict(found.ignored),
        )


def _refuse_held_out(data: Path) -> None:
    """Raise where test/ or val/ would be taken for a class because train/ is missing."""
    names = [name for name in HELD_OUT if (data / name).is_dir()]
    if names:
        raise FinegrainedError(f"{data} has {names[0]}/ but no train/; add it, or give a folder that holds class folders alone")


def _read_parts(data: Path, parts: dict[str, str]) -> Records:
    """train/ and its held-out folders; a lone val/ is what gets evaluated, so it is the test part."""
    alone = "test" not in parts
    found = _Found()
    names: list[str] = []
    for folder, split in parts.items():
        classes = _scan(data, data / folder, "test" if alone and split == "val" else split, found)
        if folder == "train":
            _require_classes(data / folder, classes, ImageFolder.where)
            names = classes
        elif classes != names:
            raise FinegrainedError(_difference(data, folder, names, classes))
    index = {name: i for i, name in enumerate(names)}
    as_test = f", folder {next(f for f in parts if f != 'train')}/ is the test part" if alone else ""
    return make_records(
        {"path": found.paths, "label": [index[name] for name in found.classes], "split": found.splits},
        class_names=tuple(names),
        root=data,
        protocol=f"{data.name}, its own folders {', '.join(f'{folder}/' for folder in parts)}{as_test}",
        dropped=dict(found.ignored),
    )


def _scan(root: Path, folder: Path, split: str, found: _Found) -> list[str]:
    """Add the images of all class folders in `folder`; return the class names, sorted."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for name in names:
        files = sorted(path for path in (folder / name).rglob("*") if path.is_file() and not _hidden(path, folder))
        images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        if not images:
            raise FinegrainedError(f"class folder {folder / name} has no image in it; add images or remove the folder")
        found.paths += [path.relative_to(root).as_posix() for path in images]
        found.classes += [name] * len(images)
        found.splits += [split] * len(images)
        found.ignored.update(f"not an image file ({path.suffix or 'no suffix'})" for path in files if path not in images)
    return names


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _require_classes(folder: Path, names: list[str], where: str) -> None:
    if len(names) < 2:
        raise FinegrainedError(f"{folder} has {len(names)} class folder(s), at least 2 are needed. {where}")


def _difference(data: Path, folder: str, train: list[str], held_out: list[str]) -> str:
    only_train, only_other = sorted(set(train) - set(held_out)), sorted(set(held_out) - set(train))
    texts = [f"only in {part}/: {', '.join(names[:5])}" for part, names in (("train", only_train), (folder, only_other)) if names]
    return f"{data}: train/ and {folder}/ have different class folders ({'; '.join(texts)}); rename or remove them"


dataset = ImageFolder
