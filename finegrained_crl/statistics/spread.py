"""Mean and deviation over folds or seeds, as papers print them: a description, not an interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Spread(NamedTuple):
    """Mean and standard deviation over folds (or seeds).

    Attributes:
        mean: of the values.
        deviation: sample standard deviation, ddof = 1 (divided by n - 1); NaN for a single value.
        n: number of values.
    """

    mean: float
    deviation: float
    n: int


def fold_spread(values: ArrayLike) -> Spread:
    """Mean over folds with the sample standard deviation (ddof = 1).

    Args:
        values: float, (folds,), one figure per fold (seeds averaged first).

    >>> fold_spread([54.0, 44.0, 54.0, 46.0, 49.0])
    Spread(mean=49.4, deviation=4.560701700396552, n=5)
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"expected at least one value per fold, got shape {numbers.shape}")
    deviation = float(numbers.std(ddof=1)) if numbers.size > 1 else float("nan")
    return Spread(float(numbers.mean()), deviation, numbers.size)
