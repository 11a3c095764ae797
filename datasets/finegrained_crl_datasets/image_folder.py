"""A folder of your own: one folder per class, with or without train/ and val/ or test/ around them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from finegrained_crl.data.folds import groups_of, seeded_split
from finegrained_crl.data.identity import require_unicode
from finegrained_crl.data.layout import require_folder
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from finegrained_crl.errors import FinegrainedError

HELD_OUT = {"test": "test", "val": "val", "validation": "val"}
Depth = Literal["", "top", "leaf"]


@dataclass
class _Contents:
    """Images below class folders, and what else was there; `folders` are the images', relative to their part."""

    paths: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def warnings(self) -> tuple[str, ...]:
        """A line about pictures that are left out, since nobody expects that of a picture."""
        if not self.unread:
            return ()
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(self.unread.items()))
        return (
            f"{self.unread.total()} pictures are left out, their kind isn't read here ({kinds}): convert them to JPEG",
        )


@dataclass(frozen=True)
class ImageFolder:
    """Reader of class folders; hidden files are skipped.

    Attributes:
        test_fraction: share of the seeded test part, where there is no train/ folder.
        split_seed: seed of that part.
        depth: which folder is the class where folders lie in folders (family/species/): `top` the outer one, `leaf` the
            one that holds the images; none: the outer one where images lie in it or all in one folder below it, else
            you are asked.
    """

    summary: ClassVar[str] = "your own folder with one sub-folder of images per class"
    where: ClassVar[str] = (
        "Give a folder as --data that holds train/CLASS/*.jpg and test/CLASS/*.jpg (or val/), or CLASS/*.jpg to have a"
        " seeded test part cut"
    )

    test_fraction: float = 0.2
    split_seed: int = 0
    depth: Depth = ""

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """List the images below `data` (see `DataSource.read`); `labels_only` changes nothing, the files are the
        labels.
        """
        require_folder(data, self.where)
        try:
            return self._read(data)
        except OSError as error:
            raise FinegrainedError(
                f"{error.filename or data}: {error.strerror or error}; check its permissions"
            ) from error

    def known_counts(self, data: Path) -> dict[str, int]:
        """Nothing is published about a folder of your own."""
        return {}

    def _read(self, data: Path) -> Records:
        if not (data / "train").is_dir():
            _refuse_held_out(data)
            return self._read_flat(data)
        parts = {"train": "train"} | {name: split for name, split in HELD_OUT.items() if (data / name).is_dir()}
        if len(parts) == 1:
            raise FinegrainedError(
                f"{data} has train/ but no test/, val/ or validation/; add one, or give {data / 'train'} as --data"
            )
        if {"val", "validation"} <= parts.keys():
            raise FinegrainedError(f"{data} has both val/ and validation/; remove or rename one")
        return self._read_parts(data, parts)

    def _read_flat(self, data: Path) -> Records:
        """Class folders alone: the test part is cut by seed, stratified."""
        listing = _Contents()
        _scan(data, data, "", listing)
        classes = _classes(listing, self.depth, data)
        names = sorted(set(classes))
        _require_classes(data, names, self.where)
        groups = groups_of(data, pd.Series(listing.paths), {})
        _, test = seeded_split(pd.Series(classes), groups, self.test_fraction, self.split_seed)
        return make_records(
            {
                "path": listing.paths,
                "label": _labels(classes, names),
                "split": np.where(np.isin(np.arange(len(classes)), test), "test", "train"),
            },
            class_names=tuple(names),
            root=data,
            protocol=f"{data.name}, seeded stratified split (test {self.test_fraction:g}, seed {self.split_seed})",
            dropped=dict(listing.ignored),
            warnings=listing.warnings(),
        )

    def _read_parts(self, data: Path, parts: dict[str, str]) -> Records:
        """train/ and its held-out folders; a lone val/ is what gets evaluated, so it is the test part."""
        alone = "test" not in parts
        listing = _Contents()
        for folder, split in parts.items():
            _scan(data, data / folder, "test" if alone and split == "val" else split, listing)
        classes = _classes(listing, self.depth, data)
        rows = pd.DataFrame({"part": [PurePosixPath(path).parts[0] for path in listing.paths], "name": classes})
        names = sorted(set(rows["name"][rows["part"] == "train"]))
        _require_classes(data / "train", names, self.where)
        for folder in parts:
            present = sorted(set(rows["name"][rows["part"] == folder]))
            if present != names:
                raise FinegrainedError(_difference(data, folder, names, present))
        as_test = f", folder {next(f for f in parts if f != 'train')}/ is the test part" if alone else ""
        return make_records(
            {"path": listing.paths, "label": _labels(classes, names), "split": listing.splits},
            class_names=tuple(names),
            root=data,
            protocol=f"{data.name}, its own folders {', '.join(f'{folder}/' for folder in parts)}{as_test}",
            dropped=dict(listing.ignored),
            warnings=listing.warnings(),
        )


def _refuse_held_out(data: Path) -> None:
    """Raise where test/ or val/ would be taken for a class because train/ is missing."""
    names = [name for name in HELD_OUT if (data / name).is_dir()]
    if names:
        raise FinegrainedError(
            f"{data} has {names[0]}/ but no train/; add it, or give a folder that holds class folders alone"
        )


def _scan(root: Path, folder: Path, split: str, contents: _Contents) -> None:
    """Add the images of all class folders in `folder`."""
    for name in sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        before = len(contents.paths)
        for path in _files_below(folder / name):
            _take(path, root, folder, split, contents)
        require_unicode(contents.paths[before:], folder)
        if len(contents.paths) == before:
            kinds = Counter(path.suffix.lower() for path in _files_below(folder / name))
            there = f" that can be read (but {', '.join(f'{n} {kind}' for kind, n in kinds.items())})" if kinds else ""
            raise FinegrainedError(
                f"class folder {folder / name} has no image in it{there}; add images or remove the folder"
            )


def _files_below(folder: Path) -> list[Path]:
    """Everything below a folder that is no folder itself, sorted; hidden names are skipped."""
    paths = []
    for place, folders, names in os.walk(folder, onerror=_stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        linked = [
            name for name in folders if os.path.islink(os.path.join(place, name))
        ]  # not entered: links can make a circle
        paths += [Path(place, name) for name in (*names, *linked) if not name.startswith(".")]
    return sorted(paths)


def _stop(error: OSError) -> None:
    """A folder that can't be read would otherwise be passed over without a word."""
    raise error


def _take(path: Path, root: Path, folder: Path, split: str, contents: _Contents) -> None:
    """Count one file as an image or as left out."""
    suffix = path.suffix.lower()
    if not path.is_file():
        contents.ignored["not a regular file (a pipe, a device, a broken link, a linked folder)"] += 1
    elif suffix in IMAGE_SUFFIXES:
        contents.paths.append(path.relative_to(root).as_posix())
        contents.folders.append(path.parent.relative_to(folder).as_posix())
        contents.splits.append(split)
    elif suffix in UNREAD_SUFFIXES:
        contents.ignored[f"picture of a kind that isn't read ({suffix})"] += 1
        contents.unread[suffix] += 1
    else:
        contents.ignored[f"not an image file ({suffix or 'no suffix'})"] += 1


def _classes(contents: _Contents, depth: Depth, data: Path) -> list[str]:
    """The class of each image."""
    if depth not in ("", "top", "leaf"):
        raise FinegrainedError(f"--dataset.depth must be top or leaf, got '{depth}'")
    tops = [folder.partition("/")[0] for folder in contents.folders]
    if depth == "leaf":
        return _leaf_names(contents.folders)
    nested = _nested(contents.folders)
    if nested and not depth:
        top, leaves = nested
        shown = ", ".join(leaves[:3]) + (" .." if len(leaves) > 3 else "")
        raise FinegrainedError(
            f"{data}: the images of '{top}' lie in {len(leaves)} folders below it ({shown}); say what a class is:"
            " --dataset.depth leaf for the folders that hold the images, --dataset.depth top for the outer ones"
        )
    return tops


def _nested(folders: list[str]) -> tuple[str, list[str]] | None:
    """The first class folder that holds no image itself but several folders that do."""
    leaves: dict[str, set[str]] = {}
    for folder in folders:
        top, _, below = folder.partition("/")
        leaves.setdefault(top, set()).add(below)
    for top, below_top in leaves.items():
        if "" not in below_top and len(below_top) > 1:
            return top, sorted(below_top)
    return None


def _leaf_names(folders: list[str]) -> list[str]:
    """The last folder's name, or the whole way to it where two have one name."""
    ways: dict[str, set[str]] = {}
    for folder in folders:
        ways.setdefault(PurePosixPath(folder).name, set()).add(folder)
    doubled = {folder for group in ways.values() if len(group) > 1 for folder in group}
    return [folder if folder in doubled else PurePosixPath(folder).name for folder in folders]


def _labels(classes: list[str], names: list[str]) -> list[int]:
    index = {name: i for i, name in enumerate(names)}
    return [index[name] for name in classes]


def _require_classes(folder: Path, names: list[str], where: str) -> None:
    if len(names) < 2:
        raise FinegrainedError(f"{folder} has {len(names)} class folder(s), at least 2 are needed. {where}")


def _difference(data: Path, folder: str, train: list[str], held_out: list[str]) -> str:
    only_train, only_other = sorted(set(train) - set(held_out)), sorted(set(held_out) - set(train))
    texts = [
        f"only in {part}/: {', '.join(names[:5])}"
        for part, names in (("train", only_train), (folder, only_other))
        if names
    ]
    return f"{data}: train/ and {folder}/ have different class folders ({'; '.join(texts)}); rename or remove them"


dataset = ImageFolder
