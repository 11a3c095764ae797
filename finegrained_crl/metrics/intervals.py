"""How sure a number is: spread over folds, bootstrap intervals clustered by subject, paired differences, permutation
p-values.

Photos of one person are no independent evidence, so a bootstrap draws people, not photos. Everything that is drawn is
drawn from
a seed: the same table gives the same interval.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from finegrained_crl.metrics.totals import Statistic, Totals, cluster_totals, ratio, summed

DRAWS = 2000
MOST_EXACT = 40


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


class Interval(NamedTuple):
    """A figure and its confidence interval.

    Attributes:
        value: the figure on all data.
        low: lower end.
        high: upper end; both NaN where there are fewer than two clusters.
    """

    value: float
    low: float
    high: float


class CellTotals(NamedTuple):
    """Two classifiers on the pictures of one fold with one seed.

    Attributes:
        clusters: str, (n,), the subject of each picture.
        first: float, (n, m), totals of one classifier.
        second: float, (n, m), totals of the other.
    """

    clusters: NDArray[np.str_]
    first: Totals
    second: Totals


class Permutation(NamedTuple):
    """A sign-flip test.

    Attributes:
        p: two-sided p-value.
        exact: whether all sign patterns were counted (else a seeded sample of them).
        n: number of pairs.
    """

    p: float
    exact: bool
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


def bootstrap_interval(
    totals: ArrayLike | Totals,
    statistic: Statistic = ratio,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
    floor: float | None = None,
) -> Interval:
    """Confidence interval of a figure by drawing whole clusters with replacement.

    The ends are percentiles of the drawn figures, a little further out than (1 - level) / 2 so that few clusters don't
    make intervals too short ("expanded percentile", exact for the mean of a normal sample).

    A figure with a floor, such as a calibration error, is the further above it the fewer pictures there are, and a draw
    repeats
    pictures: drawn figures lie above the figure itself. The interval of such a figure is moved down by that bias.

    Args:
        totals: float, (clusters, m), what `cluster_totals` returned.
        statistic: figure from summed totals; the ratio of two columns by default.
        level: coverage wanted, in (0, 1).
        draws: number of bootstrap draws.
        seed: same seed, same interval.
        floor: value that the figure can't fall below and is biased away from; None: the figure has none.
    Returns:
        figure and ends; the ends are NaN with fewer than two clusters.
    Raises:
        ValueError: a level out of range, or no cluster.
    Source: Hesterberg, 2015, What teachers should know about the bootstrap, section 5.2 (expanded percentile interval).

    >>> bootstrap_interval([[1, 2], [1, 1], [1, 1]], seed=0).value  # hits and pictures of three people
    0.75
    """
    table = _check_totals(totals, level)
    clusters = table.shape[0]
    value = float(statistic(summed(table))[0])
    drawn = statistic(_draw(clusters, draws, seed) @ table)
    if floor is None:
        return Interval(value, *_ends(drawn, clusters, level))
    low, high = _ends(drawn - (drawn.mean() - value), clusters, level)
    return Interval(value, max(low, floor), high)


def mean_difference_interval(
    cells: list[CellTotals], statistic: Statistic = ratio, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Interval of the mean over cells of `first` - `second`: each draw takes the same people in every cell and
    classifier.

    Args:
        cells: one per fold and seed.
        statistic: see `bootstrap_interval`; so are `level`, `draws` and `seed`.
    Returns:
        the mean difference and its ends. A draw that takes nobody of a fold leaves that fold's cells out.

    >>> cell = CellTotals(np.array(["ann", "bob"]), np.array([[1, 1], [1, 1]]), np.array([[0, 1], [1, 1]]))
    >>> mean_difference_interval([cell]).value
    0.5
    """
    names, places = np.unique(np.concatenate([cell.clusters for cell in cells]), return_inverse=True)
    starts = np.cumsum([0, *(len(cell.clusters) for cell in cells)])
    weights = _draw(len(names), draws, seed)
    drawn = np.zeros((len(cells), draws))
    values = np.zeros(len(cells))
    for i, cell in enumerate(cells):
        present, first = np.unique(places[starts[i] : starts[i + 1]]), cluster_totals(cell.first, cell.clusters)
        second, of_cell = cluster_totals(cell.second, cell.clusters), _columns(weights, present)
        values[i] = statistic(summed(first))[0] - statistic(summed(second))[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn[i] = statistic(of_cell @ first) - statistic(of_cell @ second)
    return Interval(float(values.mean()), *_ends(np.nanmean(drawn, axis=0), len(names), level))


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
    Permutation(p=0.25, exact=True, n=3)
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected at least one finite difference, got {values}")
    # Sums that are equal on paper differ by rounding: the observed pattern must count itself.
    limit = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    if values.size > MOST_EXACT:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(sampled, values.size))
        return Permutation(float((1 + (np.abs(signs @ values) >= limit).sum()) / (1 + sampled)), False, values.size)
    if limit <= 0:
        return Permutation(1.0, True, values.size)
    half = values.size // 2
    left, right = _signed_sums(values[:half]), np.sort(_signed_sums(values[half:]))
    above = right.size - np.searchsorted(right, limit - left, side="left")
    # The distribution is symmetric: as many patterns lie below -limit.
    return Permutation(float(min(1.0, 2 * above.sum() / 2.0**values.size)), True, values.size)


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


@functools.lru_cache(maxsize=1)
def _draw(clusters: int, draws: int, seed: int) -> NDArray[np.float64]:
    """How often each draw takes each cluster, (draws, clusters)."""
    shares = np.full(clusters, 1 / clusters)
    return np.random.default_rng(seed).multinomial(clusters, shares, size=draws).astype(np.float64)


def _columns(weights: NDArray[np.float64], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Some columns; without a copy where they stand side by side, as those of a fold's people often do."""
    first, last = int(chosen[0]), int(chosen[-1])
    return weights[:, first : last + 1] if last - first + 1 == len(chosen) else weights[:, chosen]


def _ends(drawn: NDArray[np.float64], clusters: int, level: float) -> tuple[float, float]:
    from scipy.special import (  # not scipy.stats: it stumbles over a torch that is blocked or half installed
        ndtr,
        stdtrit,
    )

    if clusters < 2 or np.isnan(drawn).all():
        return float("nan"), float("nan")
    widened = np.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, (1 - level) / 2)
    tail = float(ndtr(widened))
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """All sums of +-value, (2^n,)."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _check_totals(totals: ArrayLike | Totals, level: float) -> Totals:
    table: Totals = totals if isinstance(totals, sparse.csr_array) else np.asarray(totals, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] == 0:
        raise ValueError(f"expected (clusters, m) totals of at least one cluster, got {table.shape}")
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1), got {level}")
    return table
