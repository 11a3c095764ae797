"""The records table: the one form that every data set takes before anything else looks at it.

A row is one labelled picture. Columns:

=========  ========  =============================================================================
id         str       unique name of the row; the path, with "#2", "#3" .. where a path repeats
path       str       image file relative to `Records.root`, forward slashes, never outside the root
label      int64     class index in [0, num_classes)
split      str       "train", "val", "test", or "" where the data set has folds or no split at all
fold       Int64     fold number, <NA> where there is none
subject    string    person (or other group) that must stay on one side of a split, <NA> where unknown
=========  ========  =============================================================================

A data set may add columns of its own (age, gender, bounding box); they travel into predictions.parquet, and nothing in
the core knows their names but through `Records.subgroups`.
"""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl.data.identity import class_warnings, plain_path, require_unicode
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.ages import AgeScale
from finegrained_crl.metrics.catalogue import Order

SPLITS = ("train", "val", "test", "")
COLUMNS = ("id", "path", "label", "split", "fold", "subject")
GROUPING_KINDS = ("subject", "album", "original")


@dataclass(frozen=True)
class Records:
    """A labelled image set as a table, with what must stand beside every number made from it.

    Attributes:
        table: one row per picture, columns as in the module's docstring; index 0..n-1.
        class_names: class index -> name.
        root: folder that `path` is relative to.
        protocol: the split in words, e.g. "CUB-200-2011, official train/test split".
        policy: how raw labels became class indices, "" where the data set has just one way.
        dropped: reason -> number of rows of the source that are not in the table.
        ordered: whether the classes have an order (age groups), so that being one off means something.
        subgroups: extra columns by which a report divides its figures.
        groupings: kind ("subject", "album", "original") -> column; rows that share one stay on one side of every split.
        warnings: what a user should know before training on it, one line each.
        ages: the years that the classes stand for; None where classes are no years. A year may be without a picture.
        face_crop: how its faces were cut out of photographs (`faces.crop.FaceCrop` as plain values); None of others.
    """

    table: pd.DataFrame
    class_names: tuple[str, ...]
    root: Path
    protocol: str
    policy: str = ""
    dropped: dict[str, int] = field(default_factory=dict)
    ordered: bool = False
    subgroups: tuple[str, ...] = ()
    groupings: dict[str, str] = field(default_factory=lambda: {"subject": "subject"})
    warnings: tuple[str, ...] = ()
    ages: AgeScale | None = None
    face_crop: dict[str, Any] | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes, those without a picture included."""
        return len(self.class_names)

    @property
    def order(self) -> Order:
        """What the catalogue of figures must know of the classes."""
        return Order(ordered=self.ordered, years=self.ages is not None)

    def __len__(self) -> int:
        return len(self.table)

    def fingerprint(self) -> str:
        """Sixteen hex digits that change when a row, a label, a split or a class name does."""
        text = self.table[list(COLUMNS)].to_csv(index=False) + "\n".join(self.class_names)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_records(
    columns: dict[str, Any],
    *,
    class_names: tuple[str, ...],
    root: Path,
    protocol: str,
    policy: str = "",
    dropped: dict[str, int] | None = None,
    ordered: bool = False,
    subgroups: tuple[str, ...] = (),
    groupings: dict[str, str] | None = None,
    warnings: tuple[str, ...] = (),
    ages: AgeScale | None = None,
) -> Records:
    """Build a checked records table from columns; `path` and `label` are required.

    Args:
        columns: column name -> values; absent standard columns get their "unknown" value.
        class_names: class index -> name.
        root: folder that `path` is relative to.
        protocol: the split in words.
        policy: label policy, where the data set has several.
        dropped: reason -> rows left out.
        ordered: whether the classes have an order.
        subgroups: extra columns by which a report divides its figures.
        groupings: kind -> column, where the data set calls its albums and originals otherwise than "album" and
            "original".
        warnings: what the reader noticed; near-equal and null-like class names are added.
        ages: the years that the classes stand for.
    Returns:
        records with every standard column, `id` unique.
    Raises:
        FinegrainedError: no row, a path outside the root, a label beyond the classes, an unknown split name, two
            classes of one name, a name that is not UTF-8.
    """
    require_unicode([*map(str, columns["path"]), *class_names], root)
    table = pd.DataFrame(columns).reset_index(drop=True)
    if table.empty:
        raise FinegrainedError(f"no labelled image in {root}: the data set is empty")
    table["path"] = table["path"].map(lambda path: plain_path(str(path)))
    table["label"] = table["label"].astype("int64")
    defaults: dict[str, Any] = {"split": "", "fold": pd.NA, "subject": pd.NA}
    for name, value in defaults.items():
        if name not in table:
            table[name] = value
    table["fold"] = table["fold"].astype("Int64")
    table["subject"] = table["subject"].astype("string")
    table["id"] = _unique_ids(table["path"])
    extra = [c for c in table.columns if c not in COLUMNS]
    told = {kind: kind for kind in GROUPING_KINDS if kind in table} | (groupings or {})
    noticed = (*warnings, *class_warnings(class_names))
    table = table[[*COLUMNS, *extra]]
    records = Records(
        table, class_names, Path(root), protocol, policy, dropped or {}, ordered, subgroups, told, noticed, ages
    )
    check_records(records)
    return records


def check_records(records: Records) -> None:
    """Raise one error that names every kind of broken row, with the first example of each."""
    table = records.table
    outside = table["path"].map(escapes_root)
    wild_label = ~table["label"].between(0, records.num_classes - 1)
    wild_split = ~table["split"].isin(SPLITS)
    counts = table["label"].value_counts()
    empty = [name for i, name in enumerate(records.class_names) if i not in counts.index]
    problems = _name_problems(records)
    if outside.any():
        problems.append(f"path escapes the image root {records.root}: {_first(table['path'], outside)}")
    if wild_label.any():
        labels = _first(table["label"].astype(str) + " (" + table["path"] + ")", wild_label)
        problems.append(f"label beyond the {records.num_classes} classes (0..{records.num_classes - 1}): {labels}")
    if wild_split.any():
        problems.append(
            f"split must be train, val or test: {_first(table['split'] + ' (' + table['path'] + ')', wild_split)}"
        )
    if empty and records.ages is None:
        problems.append(
            f"class without any image: {_first(pd.Series(empty), pd.Series(True, index=range(len(empty))))}"
        )
    if problems:
        raise FinegrainedError(f"{records.protocol}: " + "; ".join(problems))


def _name_problems(records: Records) -> list[str]:
    """Two classes that no table could tell apart."""
    names = records.class_names
    doubled = pd.Series(names, dtype=object).duplicated()
    problems = []
    if doubled.any():
        first = names[int(doubled.to_numpy().argmax())]
        places = [str(i) for i, name in enumerate(names) if name == first]
        problems.append(f"classes {' and '.join(places)} are both called '{first}': give each a name of its own")
    return problems


def escapes_root(path: str) -> bool:
    """Whether a relative path leads out of the folder it is relative to (judged by the text; links are followed)."""
    if ".." not in path and "\\" not in path and path[:1] not in ("/", ".") and path[1:2] != ":":
        return False  # nearly all of millions
    normal = posixpath.normpath(path.replace("\\", "/"))
    return (
        posixpath.isabs(normal) or normal == ".." or normal.startswith("../") or (len(normal) > 1 and normal[1] == ":")
    )


def _unique_ids(paths: pd.Series) -> pd.Series:
    repeat = paths.groupby(paths).cumcount()
    return paths.where(repeat == 0, paths + "#" + (repeat + 1).astype(str))


def _first(values: pd.Series, mask: pd.Series) -> str:
    """The first offender, and how many more there are."""
    hits = values[mask]
    more = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
    return f"{hits.iloc[0]}{more}"
