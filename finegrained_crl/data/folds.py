"""Which rows train, which validate, which test: the official parts, and seeded ones that keep a subject on one side."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from finegrained_crl.data.ages import age_strata
from finegrained_crl.data.group_folds import group_folds
from finegrained_crl.data.identity import identities, joined, same_files
from finegrained_crl.data.records import Records
from finegrained_crl.errors import FinegrainedError

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Partition:
    """Row numbers of a records table, each int64 and ascending; the three parts are disjoint.

    Attributes:
        train: rows to learn from (a validation part may still be cut from them).
        val: rows of the data set's own "val" split, empty where it has none or where "val" is what is evaluated.
        test: rows to evaluate on.
    """

    train: Index
    val: Index
    test: Index


def hold_out(records: Records, *, split: str | None = None, fold: int | None = None) -> Partition:
    """Divide a data set by its own protocol: one fold against the others, or one split against "train".

    Args:
        records: the data set.
        split: the split to evaluate on; None means "test", or "val" where the data set has no "test".
        fold: the fold to evaluate on; all others train.
    Returns:
        the partition; rows of no asked-for part are in none of its three.
    Raises:
        FinegrainedError: no such fold or split, both or neither asked where one is needed, a class without a training
            image.
    """
    if fold is not None and split is not None:
        raise FinegrainedError(f"--fold {fold} and --split {split} exclude each other; give one of them")
    parts = _by_fold(records, fold) if fold is not None else _by_split(records, split)
    require_every_class(records, parts.train, "training")
    return parts


def cut_validation(
    records: Records, train_index: Index, fraction: float, seed: int, digests: pd.Series | None = None
) -> tuple[Index, Index]:
    """Cut a validation part from the training rows, stratified by class.

    No subject, album or original, and no picture (under whatever name) comes to both sides.

    Args:
        records: the data set.
        train_index: int64, (n,), the rows to divide.
        fraction: share that goes to validation, in [0, 0.5]; 0 cuts nothing. With subjects the share is the nearest
            1/k.
        seed: same seed, same parts.
        digests: SHA-256 of every row's file ("" where unknown), to keep copies under other names together as well.
    Returns:
        training rows and validation rows, int64, ascending, disjoint, together `train_index`.
    Raises:
        FinegrainedError: a fraction out of range, or too few images or subjects in a class.
    """
    rows = np.sort(np.asarray(train_index, dtype=np.int64))
    if fraction == 0:
        return rows, rows[:0]
    table = records.table.iloc[rows]
    columns = {kind: table[column] for kind, column in records.groupings.items()}
    if digests is not None:
        columns["digest"] = digests.iloc[rows].replace("", None)
    groups = groups_of(records.root, table["path"], columns)
    if records.ages is None:
        classes = table["label"].map(dict(enumerate(records.class_names)))
    else:
        classes = age_strata(table["label"], groups)
    keep, cut = seeded_split(classes, groups, fraction, seed)
    require_every_class(records, rows[keep], "training", f" after {fraction:g} of the images went to validation")
    return rows[keep], rows[cut]


def groups_of(root: Path, paths: pd.Series, columns: Mapping[str, pd.Series]) -> pd.Series:
    """The group of each row, for splits that keep a group on one side.

    Rows hang together that share a subject, an album or an original, however it is spelled, or that show one file.

    Args:
        root: folder that the paths are relative to.
        paths: file of each row.
        columns: kind ("subject", "album", "original") -> value of each row, missing where unknown.
    """
    return joined(same_files(root, paths), *(identities(column) for column in columns.values()))


def seeded_split(labels: pd.Series, groups: pd.Series, fraction: float, seed: int) -> tuple[Index, Index]:
    """Divide rows in two, stratified by label, no group on both sides.

    Where no group has two rows this is scikit-learn's StratifiedShuffleSplit; else one fold of k = round(1 / fraction)
    of `group_folds`.

    Args:
        labels: class of each row, length n.
        groups: group of each row, length n, nothing missing.
        fraction: share of the second part, in (0, 0.5].
        seed: same seed, same parts.
    Returns:
        positions 0..n-1 of the first and of the second part, int64, ascending.
    Raises:
        FinegrainedError: a fraction out of range, or a class that is too small to be in both parts.
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    _check_sizes(labels, groups, fraction)
    _check_seed(seed)
    if groups.is_unique:
        splitter = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
        first, second = next(splitter.split(np.zeros(len(labels)), labels.to_numpy()))
        return np.sort(first).astype(np.int64), np.sort(second).astype(np.int64)
    classes = pd.factorize(labels, sort=True)[0]
    folds = group_folds(classes, pd.factorize(groups)[0], round(1 / fraction), seed)
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)


def seeded_folds(labels: pd.Series, groups: pd.Series, num_folds: int, seed: int) -> Index:
    """Divide rows into folds (`group_folds`): stratified by label as well as groups allow, no group in two folds.

    Args:
        labels: class of each row, length n.
        groups: group of each row, length n, nothing missing.
        num_folds: number of folds, at least 2.
        seed: same seed, same folds.
    Returns:
        fold of each row, int64, (n,), in [0, num_folds); every fold has a row.
    Raises:
        FinegrainedError: fewer than two folds, fewer groups than folds, or no class with as many images.
    """
    if num_folds < 2 or groups.nunique() < num_folds:
        raise FinegrainedError(
            f"{groups.nunique()} subjects (or images) cannot make {num_folds} folds; ask for 2 to {groups.nunique()}"
        )
    if labels.value_counts().max() < num_folds:
        raise FinegrainedError(
            f"no class has {num_folds} images, one for each of {num_folds} folds; ask for fewer folds or add images"
        )
    _check_seed(seed)
    return group_folds(pd.factorize(labels)[0], pd.factorize(groups)[0], num_folds, seed)


def require_every_class(records: Records, rows: Index, part: str, because: str = "") -> None:
    """Raise where a class has no row in a part, naming the class.

    Classes with an order are fixed by their protocol (Adience's eight groups stay eight): there a small set may lack
    one, with a warning. Years are a scale: any of them may lack pictures.
    """
    present = set(records.table["label"].to_numpy()[rows].tolist())
    absent = [name for i, name in enumerate(records.class_names) if i not in present]
    if not absent or records.ages is not None:
        return  # a year without a picture lies between two that have some
    more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
    text = f"class '{absent[0]}'{more} has no {part} image{because}"
    if not records.ordered:
        raise FinegrainedError(f"{text}; add images, remove the class, or divide the data otherwise")
    warnings.warn(f"{text}: it can't be learnt, and stays in every figure", stacklevel=2)


def _by_fold(records: Records, fold: int) -> Partition:
    folds = records.table["fold"]
    existing = sorted(int(f) for f in folds.dropna().unique())
    if not existing:
        raise FinegrainedError(f"--fold {fold}: this data set has no folds ({records.protocol}); leave --fold out")
    if fold not in existing:
        raise FinegrainedError(f"--fold {fold}: no such fold, there are {', '.join(map(str, existing))}")
    chosen = folds.eq(fold).fillna(False)
    return Partition(_rows(folds.notna() & ~chosen), _rows(folds.isna() & False), _rows(chosen))


def _by_split(records: Records, split: str | None) -> Partition:
    splits = records.table["split"]
    existing = [s for s in ("train", "val", "test") if splits.eq(s).any()]
    if not existing:
        raise FinegrainedError(_ask_for_fold(records))
    held_out = split or ("test" if "test" in existing or "val" not in existing else "val")
    if held_out == "train" or held_out not in existing:
        choices = ", ".join(s for s in existing if s != "train") or "nothing but train"
        raise FinegrainedError(
            f"no split '{held_out}' to evaluate on; this data set has {choices} ({records.protocol})"
        )
    validation = splits.eq("val") & (held_out != "val")
    return Partition(_rows(splits.eq("train")), _rows(validation), _rows(splits.eq(held_out)))


def _ask_for_fold(records: Records) -> str:
    existing = sorted(int(f) for f in records.table["fold"].dropna().unique())
    if not existing:
        return f"the data set has neither splits nor folds ({records.protocol}); add a split or a fold to it"
    return (
        f"this data set has folds, no train/test split: say which to hold out with --fold {existing[0]} .. --fold"
        f" {existing[-1]}"
    )


def _check_sizes(labels: pd.Series, groups: pd.Series, fraction: float) -> None:
    if not 0 < fraction <= 0.5:
        raise FinegrainedError(f"the fraction to hold out must be above 0 and at most 0.5, got {fraction:g}")
    per_class = groups.groupby(labels.to_numpy()).nunique()
    smallest = per_class.idxmin()
    if per_class.min() < 2:
        raise FinegrainedError(
            f"class '{smallest}' has a single image or subject and cannot be in two parts; add images or remove the"
            " class"
        )
    held_out = int(np.ceil(fraction * len(labels)))
    if held_out < len(per_class):
        raise FinegrainedError(
            f"{fraction:g} of {len(labels)} images is {held_out}, fewer than the {len(per_class)} classes; hold out"
            " more"
        )
    num_parts = round(1 / fraction)
    if not groups.is_unique and num_parts > groups.nunique():
        raise FinegrainedError(
            f"{groups.nunique()} subjects cannot make {num_parts} parts (fraction {fraction:g}); hold out more. Rows"
            " that share a subject, an album or an original count as one"
        )
    if not groups.is_unique and labels.value_counts().max() < num_parts:
        raise FinegrainedError(
            f"no class has {num_parts} images, one for each of {num_parts} parts (fraction {fraction:g}); hold out more"
            " or add images"
        )


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise FinegrainedError(f"the seed of a split must be from 0 to {2**32 - 1}, got {seed}")


def _rows(mask: pd.Series) -> Index:
    return np.flatnonzero(mask.to_numpy(dtype=bool)).astype(np.int64)
