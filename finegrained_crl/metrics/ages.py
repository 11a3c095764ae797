"""Ages in years: from probabilities to an age, and what each picture adds to the figures that are in years.

Class k of a data set in years is the age `low + k`. The expected age is a real number and is not rounded: rounding
would cost up to half a year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finegrained_crl.metrics.ordinal import Decoder, decode
from finegrained_crl.metrics.totals import Array, with_count


@dataclass(frozen=True)
class AgeScale:
    """The ages that a data set's classes stand for.

    Attributes:
        low: first age, in years.
        high: last age, in years.
        groups: declared age groups, (first, last) each, ascending; there may be gaps between them.
    """

    low: int
    high: int
    groups: tuple[tuple[int, int], ...] = ()

    @property
    def years(self) -> Array:
        """The age of each class, float (num_classes,)."""
        return np.arange(self.low, self.high + 1, dtype=np.float64)

    def distances(self, ages: ArrayLike) -> Array:
        """Years from each age to each group, 0 inside it: (n, groups). A group ends with its last year's last day."""
        column = np.asarray(ages, dtype=np.float64)[:, None]
        first, last = np.array(self.groups, dtype=np.float64).reshape(-1, 2).T
        beyond = np.where(np.floor(column) > last, column - last, 0.0)
        return np.maximum(first - column, beyond)

    def as_dict(self) -> dict[str, Any]:
        """What results.json holds."""
        return {"low": self.low, "high": self.high, "groups": [list(group) for group in self.groups]}


def scale_from_dict(values: Mapping[str, Any] | None) -> AgeScale | None:
    """What `as_dict` wrote; None for a data set that is not in years."""
    if not values:
        return None
    groups = tuple((int(first), int(last)) for first, last in values["groups"])
    return AgeScale(int(values["low"]), int(values["high"]), groups)


@dataclass(frozen=True)
class AgeTruth:
    """The true ages of some pictures.

    Attributes:
        scale: of their data set.
        ages: float, (n,), in years.
        spread: float, (n,), standard deviation of the annotators' guesses, NaN where it is unknown; None: nobody gave
            any.
    """

    scale: AgeScale
    ages: Array
    spread: Array | None = None


@overload
def age_truth(rows: Any, scale: AgeScale) -> AgeTruth: ...
@overload
def age_truth(rows: Any, scale: AgeScale | None) -> AgeTruth | None: ...
def age_truth(rows: Any, scale: AgeScale | None) -> AgeTruth | None:
    """The true ages of rows of a table.

    Args:
        rows: a data frame with `label`, and perhaps `age` (a real number) and `age_spread`.
        scale: of the data set; None: it is not in years.
    """
    if scale is None:
        return None
    ages = rows["age"] if "age" in rows else scale.low + rows["label"]
    spread = np.asarray(rows["age_spread"], dtype=np.float64) if "age_spread" in rows else None
    return AgeTruth(scale, np.asarray(ages, dtype=np.float64), spread)


@dataclass(frozen=True)
class AgeAnswers:
    """What was said of some pictures' ages.

    Attributes:
        truth: how old they are.
        said: float, (n,), in years.
    """

    truth: AgeTruth
    said: Array

    @property
    def errors(self) -> Array:
        """Years between what was said and what is true, (n,)."""
        return np.abs(self.said - self.truth.ages)

    def pick(self, rows: NDArray[Any]) -> AgeAnswers:
        """Those of some rows."""
        spread = None if self.truth.spread is None else self.truth.spread[rows]
        return AgeAnswers(AgeTruth(self.truth.scale, self.truth.ages[rows], spread), self.said[rows])


def joined_answers(parts: list[AgeAnswers | None]) -> AgeAnswers | None:
    """Answers laid end to end; None where a part has none."""
    present = [part for part in parts if part is not None]
    if not present or len(present) < len(parts):
        return None
    spreads = [part.truth.spread for part in present if part.truth.spread is not None]
    ages, said = (np.concatenate([*map(of, present)]) for of in (lambda p: p.truth.ages, lambda p: p.said))
    spread = np.concatenate(spreads) if len(spreads) == len(present) else None
    return AgeAnswers(AgeTruth(present[0].truth.scale, ages, spread), said)


def decode_ages(probabilities: ArrayLike, scale: AgeScale, decoder: Decoder = "mean") -> Array:
    """The age that probabilities over years say.

    Args:
        probabilities: float, (batch, num_classes), rows summing to 1.
        scale: ages of the classes.
        decoder: "mean" is the expected age, not rounded; "median" and "argmax" are a class's age.
    Returns:
        float, (batch,), in years.

    >>> scale = AgeScale(20, 23)
    >>> [float(decode_ages([[0.4, 0.0, 0.3, 0.3]], scale, d)[0].round(3)) for d in ("argmax", "median", "mean")]
    [20.0, 22.0, 21.5]
    """
    table = np.asarray(probabilities, dtype=np.float64)
    if decoder == "mean":
        return np.asarray(table @ scale.years / table.sum(axis=1))
    return np.asarray(scale.years[decode(table, decoder)])


def error_terms(answers: AgeAnswers) -> Array:
    """Totals of the mean absolute error."""
    return with_count(answers.errors)


def within_terms(answers: AgeAnswers, years: int) -> Array:
    """Totals of the cumulative score CS@years: the share of pictures at most so many years off."""
    # An expected age may miss a bound by a rounding error.
    return with_count(answers.errors <= years + 1e-9)


def epsilon_terms(answers: AgeAnswers) -> Array | None:
    """Totals of the epsilon error, 1 - exp(-(said - age)^2 / (2 spread^2)); None where no spread was given.

    A picture whose spread is unknown does not count; where all annotators agreed (spread 0) any difference is an error
    of 1.

    Source: Escalera et al., 2015, ChaLearn Looking at People 2015: apparent age and cultural event recognition.
    """
    spread = answers.truth.spread
    if spread is None or np.isnan(spread).all():
        return None
    is_known = ~np.isnan(spread)
    width = np.where(is_known & (spread > 0), spread, 1e-9)
    terms = -np.expm1(-((answers.errors / width) ** 2) / 2)
    return np.stack([np.where(is_known, terms, 0.0), is_known.astype(np.float64)], axis=1)


def group_terms(answers: AgeAnswers, apart: int) -> Array | None:
    """Totals of the share whose age group is at most `apart` groups off; None where no groups are declared.

    What was said counts for the group nearest to it (the younger one of two). Pictures whose true age lies in no group
    do not count, as Adience has none of them.
    """
    scale = answers.truth.scale
    if not scale.groups:
        return None
    distances = scale.distances(answers.truth.ages)
    is_counted = distances.min(axis=1) == 0
    steps = np.abs(scale.distances(answers.said).argmin(axis=1) - distances.argmin(axis=1))
    return np.stack([is_counted & (steps <= apart), is_counted], axis=1).astype(np.float64)
