"""Tests without a distribution: signs of whole folds flipped; p-values adjusted for the number of looks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_EXACT = 40


class Permutation(NamedTuple):
    """A sign-flip test.

    Attributes:
        p: two-sided p-value.
        exact: whether all sign patterns were counted (else a seeded sample of them).
        n: number of differences.
        smallest: the smallest p that so many differences can give.
    """

    p: float
    exact: bool
    n: int
    smallest: float


def sign_flip_test(differences: ArrayLike, *, seed: int = 0, sampled: int = 100_000) -> Permutation:
    """Two-sided p-value that paired differences have mean zero: the share of all sign patterns at least as far from
    zero.

    With n pairs there are 2^n patterns; up to n = 40 all are counted (two halves of 2^(n/2) sums, one sorted, the other
    looked up in it), beyond that `sampled` of them, the observed one included. The smallest p possible is 2^(1 - n).

    Args:
        differences: float, (n,), one per independent comparison: a fold (its seeds averaged), or a seed of a single
            split.
        seed: of the sample, for n > 40.
        sampled: patterns drawn, for n > 40.
    Raises:
        ValueError: no difference, or one that is not finite.
    Source: Fisher, 1935, The design of experiments, chapter 3 (randomisation test of paired differences).

    >>> sign_flip_test([1.0, 2.0, 3.0])
    Permutation(p=0.25, exact=True, n=3, smallest=0.25)
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected at least one finite difference, got {values}")
    # Sums that are equal on paper differ by rounding: the observed pattern must count itself.
    limit = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    if values.size > MOST_EXACT:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(sampled, values.size))
        p = float((1 + (np.abs(signs @ values) >= limit).sum()) / (1 + sampled))
        return Permutation(p, False, values.size, 1 / (1 + sampled))
    smallest = 2.0 ** (1 - values.size)
    if limit <= 0:
        return Permutation(1.0, True, values.size, smallest)
    half = values.size // 2
    left, right = _signed_sums(values[:half]), np.sort(_signed_sums(values[half:]))
    above = right.size - np.searchsorted(right, limit - left, side="left")
    # The distribution is symmetric: as many patterns lie below -limit.
    return Permutation(float(min(1.0, 2 * above.sum() / 2.0**values.size)), True, values.size, smallest)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for the number of comparisons made, in their order.

    Source: Holm, 1979, A simple sequentially rejective multiple test procedure.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    adjusted = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.asarray(np.minimum(adjusted, 1.0)[np.argsort(order)])


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """All sums of +-value, (2^n,)."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums
