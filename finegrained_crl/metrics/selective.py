"""When to abstain: the confidence from which on a classifier errs no more often than is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.95
"""Probability with which the bound on the risk holds."""


@dataclass(frozen=True)
class Threshold:
    """From which confidence on to answer.

    Attributes:
        confidence: answer where the confidence is at least this.
        coverage: share of the pictures that it was found on which are answered.
        error: share of these answers that are wrong.
        bound: with probability `LEVEL`, new answers of the same kind of pictures are wrong no more often.
    """

    confidence: float
    coverage: float
    error: float
    bound: float


def risk_threshold(confidence: ArrayLike, is_right: ArrayLike, risk: float) -> Threshold | None:
    """The lowest confidence that a binary search finds whose answers err at most at `risk`, with a guarantee.

    At each of ceil(log2 n) places the error's exact upper bound (Clopper-Pearson) is taken at level 1 - 0.05 /
    ceil(log2 n), so that all hold together with probability 0.95.

    Args:
        confidence: float, (n,), of held-out pictures, n > 0.
        is_right: bool, (n,), whether each was answered rightly.
        risk: largest share of wrong answers, in (0, 1).
    Returns:
        the threshold; None where not even the most confident answers keep the risk.
    Source: Geifman and El-Yaniv, 2017, Selective classification for deep neural networks, algorithm 1 (SGR), with the
        bound of its lemma 3.1 computed as a Beta quantile.

    >>> confidence, right = np.linspace(0, 1, 1000), np.arange(1000) >= 500
    >>> found = risk_threshold(confidence, right, 0.1)
    >>> round(found.confidence, 2), found.bound <= 0.1
    (0.46, True)
    """
    order = np.argsort(np.asarray(confidence, dtype=np.float64), kind="stable")
    ascending, wrong = np.asarray(confidence, dtype=np.float64)[order], ~np.asarray(is_right, dtype=bool)[order]
    steps = max(1, math.ceil(math.log2(max(2, len(ascending)))))
    low, high, best = 0, len(ascending) - 1, None
    for _ in range(steps):
        place = (low + high) // 2
        threshold = _threshold(ascending, wrong, place, (1 - LEVEL) / steps)
        if threshold.bound <= risk:
            best, high = threshold, place
        else:
            low = place + 1
        if low > high:
            break
    return best


def _threshold(ascending: np.ndarray, wrong: np.ndarray, place: int, delta: float) -> Threshold:
    start = int(np.searchsorted(ascending, ascending[place], side="left"))  # equal confidences are answered alike
    answered, errors = len(wrong) - start, int(wrong[start:].sum())
    bound = upper_bound(errors, answered, delta)
    return Threshold(float(ascending[place]), answered / len(wrong), errors / answered, bound)


def upper_bound(errors: int, n: int, delta: float) -> float:
    """Clopper-Pearson's upper bound on an error rate: it is exceeded with probability `delta` at most.

    >>> round(upper_bound(0, 59, 0.05), 4)
    0.0495
    """
    from scipy.stats import beta

    return 1.0 if errors >= n else float(beta.ppf(1 - delta, errors + 1, n - errors))
