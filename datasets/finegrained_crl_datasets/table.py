"""A table of your own: one row per image with its path and label, optionally its split, fold and subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from finegrained_crl.data import ages
from finegrained_crl.data.folds import groups_of, seeded_folds, seeded_split
from finegrained_crl.data.records import GROUPING_KINDS, Records, make_records
from finegrained_crl.data.tables import read_table
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.ages import AgeScale
from finegrained_crl_datasets.tables.columns import (
    check_range,
    no_empty_cell,
    readable_names,
    sorted_values,
    whole_numbers,
)
from finegrained_crl_datasets.tables.places import no_escape, relative_paths, table_file
from finegrained_crl_datasets.tables.shards import SPLIT_NAMES, read_parquet_shards, shards_told

NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class _Classes:
    """What the label column says.

    Attributes:
        columns: of the rows that are kept: `label`, and `age` and `age_spread` where they are known.
        names: of the classes.
        kept: bool, of the table's rows.
        ordered: whether the classes have an order.
        dropped: reason -> rows left out.
        scale: the years that classes stand for.
    """

    columns: dict[str, Any]
    names: tuple[str, ...]
    kept: np.ndarray
    ordered: bool
    dropped: dict[str, int] = field(default_factory=dict)
    scale: AgeScale | None = None


@dataclass(frozen=True)
class Table:
    """Reader of a CSV, TSV or Parquet table.

    Attributes:
        path_column: image file, relative to `image_root`; or the column of a Parquet table that holds the image files
            themselves.
        label_column: class name, or class index where `num_classes` is given.
        split_column: train, val or test; used where the table has it.
        fold_column: fold number; used where the table has it.
        subject_column: person or group that stays on one side of a split; used where the table has it.
        album_column: album or session; likewise.
        original_column: photograph that several rows were cut from; likewise.
        image_root: folder of the images, relative to the table's folder, or absolute.
        num_classes: labels are integers in [0, num_classes); None: the sorted distinct labels are the classes.
        class_name_column: readable name of the label, the same in every row of a class.
        test_fraction: share of the seeded test part, where the table has neither splits nor folds.
        split_seed: seed of that part, or of the folds.
        num_folds: make so many folds, stratified by label, every subject (album, original) in one; 0: use the table's
            own folds or split.
        separator: between the cells of a text table: one character, or `tab`; none: as the file's suffix and header
            say.
        ordered: the classes have an order, that of the labels (age groups): reports add one-off accuracy, MAE in groups
            and kappa.
        target: what the label column holds: class, or age: ages in years, each year of the range a class.
        age_range: first and last age of the classes, e.g. 0,100; an age beyond it is an error.
        bins: ages become these groups instead of years: the first age of each (0,3,7,13,20), or adience.
        age_groups: groups over which ages in years are also counted exact and one-off, written like bins.
        age_spread_column: standard deviation of the annotators' guesses; used where the table has it.
    """

    summary: ClassVar[str] = "your own CSV, TSV or Parquet table with a path and a label per image"
    where: ClassVar[str] = (
        "Give a table (.csv, .tsv or .parquet) as --data, or a folder with one labels.csv or with Parquet tables named"
        " by their part (train-00000.parquet ..); name its columns with "
        "--dataset.path-column, --dataset.label-column and its image folder with --dataset.image-root"
    )

    groupings: ClassVar[dict[str, str]] = {"album": "album", "original": "original"}

    path_column: str = "path"
    label_column: str = "label"
    split_column: str = "split"
    fold_column: str = "fold"
    subject_column: str = "subject"
    album_column: str = "album"
    original_column: str = "original"
    image_root: str = ""
    num_classes: int | None = None
    class_name_column: str | None = None
    test_fraction: float = 0.2
    split_seed: int = 0
    num_folds: int = 0
    ordered: bool = False
    separator: str = ""
    target: Literal["class", "age"] = "class"
    age_range: str = "0,100"
    bins: str = ""
    age_groups: str = "adience"
    age_spread_column: str = "age_spread"

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the table `data`, or the labels.csv in it (see `DataSource.read`)."""
        path = table_file(data, self.where)
        root = (path if path.is_dir() else path.parent).joinpath(self.image_root).resolve()
        if not labels_only and not root.is_dir():
            raise FinegrainedError(
                f"no image folder {root}; name it with --dataset.image-root (relative to the table's folder)"
            )
        return self.records_of(self._load(path), path, root)

    def records_of(self, raw: pd.DataFrame, path: Path, root: Path, dropped: Mapping[str, int] = NONE) -> Records:
        """What a table that was read says.

        Args:
            raw: every cell is text.
            path: where it comes from, for messages and the protocol.
            root: folder of the images.
            dropped: reason -> pictures that were left out before.
        """
        self._check_columns(raw, path)
        if raw.empty:
            raise FinegrainedError(f"{path}: no row below the header; add one row per image")
        no_escape(relative_paths(raw[self.path_column], root), root, path)
        told = self._classes(raw, path)
        raw = raw[told.kept].reset_index(drop=True)
        if raw.empty:
            raise FinegrainedError(f"{path}: every age lies in no bin; correct --dataset.bins")
        columns: dict[str, Any] = {"path": relative_paths(raw[self.path_column], root), **told.columns}
        columns |= self._optional(raw, path)
        protocol = self._protocol(columns, told, raw[self.label_column], path, root)
        return make_records(
            columns,
            class_names=told.names,
            root=root,
            protocol=protocol,
            dropped={**dropped, **told.dropped},
            ordered=told.ordered,
            ages=told.scale,
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """Nothing is published about a table of your own."""
        return {}

    def _load(self, path: Path) -> pd.DataFrame:
        divider = "\t" if self.separator in ("tab", "\\t") else self.separator
        if len(divider) > 1 or divider in ('"', "\r", "\n"):
            raise FinegrainedError(f"--dataset.separator must be one character (or 'tab'), got '{self.separator}'")
        if path.is_dir():
            return read_parquet_shards(path, self.split_column)
        return read_table(path, divider, (self.path_column, self.label_column))

    def _check_columns(self, raw: pd.DataFrame, path: Path) -> None:
        """Path and label must be there, and every column that the user named."""
        defaults = {f.name: f.default for f in fields(self) if f.name.endswith("_column")}
        for option, default in defaults.items():
            column = getattr(self, option)
            needed = option in ("path_column", "label_column") or column != default
            if needed and column not in raw.columns:
                flag = "--dataset." + option.replace("_", "-")
                raise FinegrainedError(
                    f"{path}: no column '{column}'; name the right one with {flag}. {nearest(column, raw.columns)}"
                )
        for column in (self.path_column, self.label_column):
            no_empty_cell(raw[column], path)

    def _classes(self, raw: pd.DataFrame, path: Path) -> _Classes:
        """What the label column says, as classes or as ages."""
        if self.target == "age":
            return self._ages(raw, path)
        if self.bins or self.target != "class":
            wrong = f"--dataset.target {self.target}: it must be class or age"
            raise FinegrainedError("--dataset.bins needs --dataset.target age" if self.target == "class" else wrong)
        labels, names = self._labels(raw, path)
        return _Classes({"label": labels}, names, np.ones(len(raw), dtype=bool), ordered=self.ordered)

    def _ages(self, raw: pd.DataFrame, path: Path) -> _Classes:
        """Years or bins; an age in no bin (Adience's leave gaps) is left out and counted."""
        low, high = ages.age_range(self.age_range)
        if self.num_classes is not None or self.class_name_column is not None:
            raise FinegrainedError("--dataset.target age makes its own classes: leave out num-classes and class names")
        true = ages.read_ages(raw[self.label_column], low, high, path)
        columns = {"age": true}
        if self.age_spread_column in raw:
            columns["age_spread"] = ages.read_spread(raw[self.age_spread_column], path)
        if self.bins:
            groups = ages.age_groups(self.bins, high, "--dataset.bins")
            return _binned(columns, ages.bin_labels(true, groups), ages.bin_names(groups))
        named = ages.age_groups(self.age_groups, high, "--dataset.age-groups") if self.age_groups else ()
        scale = AgeScale(low, high, named)
        names = tuple(map(str, range(low, high + 1)))
        kept = np.ones(len(raw), dtype=bool)
        return _Classes({"label": ages.year_labels(true, scale), **columns}, names, kept, ordered=True, scale=scale)

    def _labels(self, raw: pd.DataFrame, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
        """Class index of each row, and the class names."""
        text = raw[self.label_column]
        if self.num_classes is not None:
            labels = whole_numbers(text, path, f"a class index in 0..{self.num_classes - 1}")
            check_range(labels, self.num_classes, path)
            names = [str(i) for i in range(self.num_classes)]
        else:
            names = sorted_values(text)
            labels = text.map({name: i for i, name in enumerate(names)}).to_numpy(dtype=np.int64)
        if self.class_name_column is not None:
            names = readable_names(raw[self.class_name_column], labels, names, path)
        return labels, tuple(names)

    def _optional(self, raw: pd.DataFrame, path: Path) -> dict[str, Any]:
        """Split, fold and subject, as far as the table has them; an empty cell means "none" for split and subject."""
        columns: dict[str, Any] = {}
        if self.split_column in raw:
            lower = raw[self.split_column].str.strip().str.lower()
            columns["split"] = lower.map(lambda name: SPLIT_NAMES.get(name, name))
        if self.fold_column in raw:
            columns["fold"] = whole_numbers(raw[self.fold_column], path, "a fold number")
        if self.subject_column in raw:
            columns["subject"] = raw[self.subject_column].where(raw[self.subject_column].str.strip() != "", pd.NA)
        for name, column in (("album", self.album_column), ("original", self.original_column)):
            if column in raw:
                columns[name] = raw[column].where(raw[column].str.strip() != "", pd.NA)
        return columns

    def _protocol(self, columns: dict[str, Any], told: _Classes, classes: pd.Series, path: Path, root: Path) -> str:
        """The split in words; where there is none, a seeded one is added to `columns`."""
        if told.scale is not None:
            classes = ages.age_strata(pd.Series(columns["age"]), self._groups(columns, root))
        elif self.target == "age":
            classes = pd.Series(columns["label"]).map(dict(enumerate(told.names)))
        if self.num_folds:
            return self._make_folds(columns, classes, path, root)
        if "fold" in columns:
            return f"{path.name}, its own folds (column '{self.fold_column}')"
        if "split" in columns and path.is_dir():
            return f"{path.name}, {shards_told(path)}"
        if "split" in columns:
            return f"{path.name}, its own split (column '{self.split_column}')"
        _, test = seeded_split(classes, self._groups(columns, root), self.test_fraction, self.split_seed)
        columns["split"] = np.where(np.isin(np.arange(len(classes)), test), "test", "train")
        apart = [kind for kind in GROUPING_KINDS if kind in columns]
        promise = f", no {' or '.join(apart)} in both" if apart else ""
        return f"{path.name}, seeded stratified split (test {self.test_fraction:g}, seed {self.split_seed}{promise})"

    def _make_folds(self, columns: dict[str, Any], classes: pd.Series, path: Path, root: Path) -> str:
        """Add seeded folds to `columns`; what the table says of splits and folds is left aside, and the protocol says
        so.
        """
        instead = [name for name in ("split", "fold") if columns.pop(name, None) is not None]
        columns["fold"] = seeded_folds(classes, self._groups(columns, root), self.num_folds, self.split_seed)
        apart = [f"{kind}-exclusive" for kind in GROUPING_KINDS if kind in columns]
        exclusive = " and ".join(apart) or "image-level, no subjects known"
        aside = f", not the table's own {' and '.join(instead)}" if instead else ""
        return f"{path.name}, {self.num_folds} seeded stratified folds ({exclusive}, seed {self.split_seed}{aside})"

    def _groups(self, columns: dict[str, Any], root: Path) -> pd.Series:
        """What stays on one side: rows that share a subject, an album, an original or a picture."""
        return groups_of(root, columns["path"], {kind: columns[kind] for kind in GROUPING_KINDS if kind in columns})


def _binned(columns: dict[str, np.ndarray], labels: np.ndarray, names: tuple[str, ...]) -> _Classes:
    kept = labels >= 0
    dropped = {"age in no bin": int((~kept).sum())} if not kept.all() else {}
    of_kept = {name: values[kept] for name, values in columns.items()}
    return _Classes({"label": labels[kept], **of_kept}, names, kept, ordered=True, dropped=dropped)


dataset = Table
