"""Folders of faces whose file names say the age, and mostly the person: UTKFace, FG-NET, AgeDB, CACD."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from finegrained_crl.data.identity import require_unicode
from finegrained_crl.data.layout import require_folder
from finegrained_crl.data.records import Records
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.table import Table

Naming = Literal["utkface", "fgnet", "agedb", "cacd"]
NAMES: dict[str, re.Pattern[str]] = {
    "utkface": re.compile(r"(?P<age>\d{1,3})_[01]_[0-4]_\d+\..+"),  # age_gender_race_time.jpg.chip.jpg
    "fgnet": re.compile(r"(?P<subject>\d{3})a(?P<age>\d{2})[a-z]?\..+", re.IGNORECASE),  # 001A43a.JPG
    "agedb": re.compile(r"\d+_(?P<subject>.+)_(?P<age>\d{1,3})_[mf]\..+"),  # 0_MariaCallas_35_f.jpg
    "cacd": re.compile(r"(?P<age>\d{1,3})_(?P<subject>.+)_\d{4}\..+"),  # 53_Robert_Duvall_0001.jpg
}
NO_AGE = "file name that says no age"


@dataclass(frozen=True)
class AgeFiles:
    """Reader of faces whose names say the age in completed years; each year of the range is a class.

    Attributes:
        naming: whose names: utkface, fgnet, agedb or cacd.
        age_range: first and last age of the classes; an age beyond it is an error.
        bins: ages become these groups instead of years: the first age of each (0,3,7,13,20), or adience.
        age_groups: groups over which ages in years are also counted exact and one-off, written like bins.
        test_fraction: share of the seeded test part; people, where the names say who it is, stay on one side.
        split_seed: seed of that part, or of the folds.
        num_folds: make so many folds, stratified by bands of ages, every person in one; 0: one split.
    """

    naming: Naming = "utkface"
    age_range: str = "0,116"
    bins: str = ""
    age_groups: str = "adience"
    test_fraction: float = 0.2
    split_seed: int = 0
    num_folds: int = 0

    summary: ClassVar[str] = "faces whose file names say the age: UTKFace, FG-NET, AgeDB, CACD"
    where: ClassVar[str] = (
        "Give the folder of the pictures as --data and whose names they have as --dataset.naming (utkface, fgnet,"
        " agedb, cacd)"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the names of all pictures below `data` (see `DataSource.read`).

        Raises:
            FinegrainedError: no such folder or naming, names that are not UTF-8, or none that says an age.
        """
        require_folder(data, self.where)
        if self.naming not in NAMES:
            raise FinegrainedError(f"--dataset.naming {self.naming}: it must be one of {', '.join(NAMES)}")
        images = (path for path in data.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        pictures = sorted(path.relative_to(data) for path in images)
        require_unicode(map(str, pictures), data)
        told = {path: match for path in pictures if (match := NAMES[self.naming].fullmatch(path.name))}
        if not told:
            raise FinegrainedError(
                f"{data}: none of {len(pictures)} pictures is named as {self.naming}'s. {self.where}"
            )
        rows = [{"path": path.as_posix(), **match.groupdict()} for path, match in told.items()]
        without = len(pictures) - len(told)
        return self._table().records_of(pd.DataFrame(rows), data, data, {NO_AGE: without} if without else {})

    def _table(self) -> Table:
        return Table(
            label_column="age",
            target="age",
            age_range=self.age_range,
            bins=self.bins,
            age_groups=self.age_groups,
            test_fraction=self.test_fraction,
            split_seed=self.split_seed,
            num_folds=self.num_folds,
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """None: copies of these sets differ in what was taken out."""
        return {}


dataset = AgeFiles
