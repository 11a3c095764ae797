"""SVHN: digits of house numbers, cropped to 32 x 32 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from finegrained_crl.data.layout import read_note
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.arrays.parts import Layout, copy_note, find_layout, read_columns

CROPPED = Layout("SVHN", {"train_32x32.mat": "train", "test_32x32.mat": "test"})
EXTRA = "extra_32x32.mat"
TEN_IS_ZERO = 10


@dataclass(frozen=True)
class Svhn:
    """Reader of SVHN's cropped digits (Netzer et al. 2011); each picture is an item of its .mat file.

    Args:
        extra: train on extra_32x32.mat too, 531,131 easier digits.
    """

    extra: bool = False

    summary: ClassVar[str] = "SVHN, cropped digits of house numbers, official train/test split"
    where: ClassVar[str] = (
        "Download train_32x32.mat and test_32x32.mat (cropped digits; extra_32x32.mat for --dataset.extra) from"
        " http://ufldl.stanford.edu/housenumbers into one folder and give it as --data"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the digits below `data` (see `DataSource.read`); labels and pictures share their files."""
        files = {**CROPPED.files, **({EXTRA: "train"} if self.extra else {})}
        root, files = find_layout(data, (Layout(CROPPED.folder, files),), self.where)
        columns = read_columns(root, files, ("labels",))
        columns["label"] = [
            _digit(root, path, label) for path, label in zip(columns["path"], columns["label"], strict=True)
        ]
        used = "train and extra" if self.extra else "train"
        return make_records(
            dict(columns),
            class_names=tuple("0123456789"),
            root=root,
            protocol=f"SVHN{copy_note(root, files)}, cropped digits, official split, trained on {used}",
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts."""
        note = read_note(data)
        if note:
            return note.counts
        train = 73257 + (531131 if self.extra else 0)
        return {"images": train + 26032, "classes": 10, "train": train, "test": 26032}


def _digit(root: Path, path: str, label: int) -> int:
    """The files count from 1, and 10 is the digit 0."""
    if not 1 <= label <= TEN_IS_ZERO:
        raise FinegrainedError(f"{root / path}: label {label}, there are 1..10 (10 is the digit 0); download it again")
    return label % TEN_IS_ZERO


dataset = Svhn
