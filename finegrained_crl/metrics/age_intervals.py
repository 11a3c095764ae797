"""Intervals of ages that hold the true age with a stated probability, whatever the network is like: split conformal.

On a validation part that the weights were not trained on, the errors |said - age| are sorted; the interval of a new
picture is what was said, plus and minus the error that the stated share of validation errors keeps to. A person with
many pictures counts once: each picture of a person has weight 1 / (their number), so that the promise is about a
picture of a new person who is like those of the validation part. It is an average over people, not a promise for each
age.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finegrained_crl.metrics.ages import AgeScale
from finegrained_crl.metrics.totals import Array


@dataclass(frozen=True)
class AgeInterval:
    """Half the width of all intervals of a run.

    Attributes:
        level: share of new people that they hold.
        radius: in years; infinite where there are too few people for the level.
        people: of the validation part.
    """

    level: float
    radius: float
    people: int

    def ends(self, said: Array, scale: AgeScale) -> tuple[Array, Array]:
        """First and last age of each interval, cut off at the ends of the scale."""
        return np.clip(said - self.radius, scale.low, scale.high), np.clip(said + self.radius, scale.low, scale.high)

    def coverage(self, errors: Array) -> float:
        """Share of pictures whose true age lies in the interval."""
        return float(np.mean(errors <= self.radius + 1e-9))

    def as_dict(self, errors: Array) -> dict[str, Any]:
        """What results.json holds, with the coverage measured on held-out pictures."""
        radius = round(self.radius, 6) if math.isfinite(self.radius) else None
        return {"level": self.level, "radius": radius, "people": self.people, "coverage": self.coverage(errors)}


def age_interval(errors: Array, people: Sequence[str] | NDArray[np.str_], level: float) -> AgeInterval:
    """The interval that validation errors give.

    Args:
        errors: float, (n,), |said - age| of validation pictures.
        people: (n,), whom each picture shows.
        level: in (0, 1).
    Raises:
        ValueError: another level, or no picture.

    >>> age_interval(np.arange(1.0, 10.0), [str(i) for i in range(9)], 0.9).radius
    9.0
    """
    if not 0 < level < 1 or not len(errors):
        raise ValueError(f"expected pictures and a level between 0 and 1, got {len(errors)} and {level}")
    _, place, counts = np.unique(np.asarray(people, dtype=str), return_inverse=True, return_counts=True)
    count = len(counts)
    order = np.argsort(errors, kind="stable")
    weight = np.cumsum(1.0 / counts[place][order])
    # The new person counts as one more, with an error beyond all others.
    reaches = np.flatnonzero(weight >= level * (count + 1) - 1e-9)
    radius = float(errors[order][reaches[0]]) if len(reaches) else math.inf
    return AgeInterval(level, radius, count)
