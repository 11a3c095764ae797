"""Where one more run would lie, after some."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def interval_for_one_run(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """The interval in which one further run of the same kind lies with the given probability.

    Args:
        values: a figure of at least two runs that differ in their seed alone.
        level: probability.
    Returns:
        both ends: mean -/+ t sqrt(1 + 1/n) s; None where fewer than two runs were seen, or they did not differ.
    Source: Hahn and Meeker, 1991, Statistical intervals, section 4.6.

    >>> interval_for_one_run([94.0])
    >>> [round(end, 2) for end in interval_for_one_run([94.0, 95.0, 96.0])]
    [90.03, 99.97]
    """
    from scipy.special import stdtrit

    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2 or not numbers.std() > 0:
        return None
    reach = float(stdtrit(len(numbers) - 1, (1 + level) / 2)) * numbers.std(ddof=1) * math.sqrt(1 + 1 / len(numbers))
    return float(numbers.mean() - reach), float(numbers.mean() + reach)
