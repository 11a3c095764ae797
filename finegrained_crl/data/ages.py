"""Ages in a table: the declared range, age groups and bins in words, and the labels that they give."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.ages import AgeScale

OLDEST = 150
"""A declared range ends here at most: a class per year needs no millions of them."""
NAMED = {"adience": ((0, 2), (4, 6), (8, 12), (15, 20), (25, 32), (38, 43), (48, 53), (60, 100))}
"""Age groups by name. Adience's leave gaps: an age between two of them is in none."""
MOST_STRATA = 10

Groups = tuple[tuple[int, int], ...]


def age_range(text: str) -> tuple[int, int]:
    """First and last age, from "FIRST,LAST".

    >>> age_range("0,100")
    (0, 100)
    """
    ages = _whole_numbers(text)
    if len(ages) != 2 or not 0 <= ages[0] < ages[1] <= OLDEST:
        raise FinegrainedError(
            f"--dataset.age-range {text}: give the first and the last age, whole years from 0 to {OLDEST}, e.g. 0,100"
        )
    return ages[0], ages[1]


def age_groups(text: str, last: int, flag: str) -> Groups:
    """Age groups, from the first age of each or from a name; the last group ends with `last`.

    >>> age_groups("0,3,20", 100, "--dataset.bins")
    ((0, 2), (3, 19), (20, 100))
    """
    if text in NAMED:
        return NAMED[text]
    firsts = _whole_numbers(text)
    rising = all(one < after for one, after in itertools.pairwise([*firsts, last + 1]))
    if len(firsts) < 2 or firsts[0] < 0 or not rising:
        names = " or ".join(NAMED)
        raise FinegrainedError(
            f"{flag} {text}: give the first age of each group, rising and up to {last} (--dataset.age-range), e.g."
            f" 0,3,7,13,20, or {names}"
        )
    return tuple(zip(firsts, [first - 1 for first in firsts[1:]] + [last], strict=True))


def _whole_numbers(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    return [int(word) for word in words] if all(word.isdecimal() for word in words) else []


def read_ages(column: pd.Series, low: int, high: int, path: Path) -> np.ndarray:
    """The ages of a text column, float (n,).

    Args:
        column: text of each row.
        low: first age of the declared range.
        high: last age; a picture of the year `high` may be up to a year older.
        path: of the table, for messages.
    Raises:
        FinegrainedError: text that is no age, or an age beyond the range; the first is named, the others counted.
    """
    ages: np.ndarray = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~((ages >= low) & (ages < high + 1)))  # NaN compares as neither
    if len(wrong):
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise FinegrainedError(
            f"{path}: '{column.name}' in row {wrong[0] + 2}{more} must be an age from {low} to {high} years, got"
            f" '{column.iloc[wrong[0]]}'; correct or remove the row, or declare another --dataset.age-range"
        )
    return ages


def read_spread(column: pd.Series, path: Path) -> np.ndarray:
    """The annotators' standard deviations, float (n,); NaN for an empty cell."""
    empty = (column.str.strip() == "").to_numpy()
    spread = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~empty & ~((spread >= 0) & (spread < np.inf)))
    if len(wrong):
        raise FinegrainedError(
            f"{path}: '{column.name}' in row {wrong[0] + 2} must be a standard deviation in years, got"
            f" '{column.iloc[wrong[0]]}'"
        )
    return spread


def year_labels(ages: np.ndarray, scale: AgeScale) -> np.ndarray:
    """The class of each age, int64 (n,): completed years. An apparent age of 30.8 is of the class 30."""
    labels: np.ndarray = np.floor(ages).astype(np.int64) - scale.low
    return labels


def bin_labels(ages: np.ndarray, groups: Groups) -> np.ndarray:
    """The group of each age, int64 (n,); -1 for an age in none."""
    years = np.floor(ages)[:, None]
    first, last = np.array(groups).T
    inside = (years >= first) & (years <= last)
    return np.asarray(np.where(inside.any(1), inside.argmax(1), -1), dtype=np.int64)


def bin_names(groups: Groups) -> tuple[str, ...]:
    """What the groups are called.

    >>> bin_names(((0, 2), (3, 3)))
    ('0-2', '3')
    """
    return tuple(str(first) if first == last else f"{first}-{last}" for first, last in groups)


def age_strata(ages: pd.Series, groups: pd.Series) -> pd.Series:
    """Strata for a split of pictures in years: bands of equally many pictures, young to old.

    A class per year is too small to be stratified by: most years have fewer pictures than a split has parts.

    Args:
        ages: age, or class, of each row.
        groups: who stays on one side; there are about ten of them to a band.
    """
    bands = int(np.clip(groups.nunique() // 10, 1, MOST_STRATA))
    place = ages.rank(method="first").to_numpy() - 1
    return pd.Series(np.floor(place * bands / len(ages)).astype(np.int64), index=ages.index).map(
        lambda band: f"age band {band + 1} of {bands}"
    )
