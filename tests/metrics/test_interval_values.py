"""Intervals and p-values against slow, plain computations; their statistical promises are in test_intervals.py."""

import itertools
from math import comb

import numpy as np
import pytest
from scipy import stats

from finegrained_crl.metrics.intervals import (
    CellTotals,
    bootstrap_interval,
    fold_spread,
    holm,
    mean_difference_interval,
    sign_flip_test,
)
from finegrained_crl.metrics.totals import ratio

TOTALS = np.array([[3.0, 4.0], [1.0, 1.0], [0.0, 5.0], [2.0, 2.0], [1.0, 4.0], [6.0, 7.0]])


def drawn_by_hand(count, draws, seed):
    shares = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, shares, size=draws).astype(float)


def ends_by_hand(drawn, count, level):
    tail = stats.norm.cdf(np.sqrt(count / (count - 1)) * stats.t.ppf((1 - level) / 2, count - 1))
    return tuple(np.quantile(drawn, [tail, 1 - tail]))


@pytest.mark.parametrize(("level", "draws", "seed"), [(0.95, 2000, 0), (0.8, 300, 0), (0.95, 300, 7)])
def test_interval_is_the_expanded_percentile_of_its_draws(level, draws, seed):
    found = bootstrap_interval(TOTALS, level=level, draws=draws, seed=seed)
    sums = drawn_by_hand(6, draws, seed) @ TOTALS
    assert found.value == pytest.approx(13 / 23)
    assert (found.low, found.high) == pytest.approx(ends_by_hand(sums[:, 0] / sums[:, 1], 6, level))


def test_a_figure_with_a_floor_is_moved_down_by_its_bias():
    def distance(totals):
        return np.abs(ratio(totals) - 0.5)

    found = bootstrap_interval(TOTALS, distance, draws=500, floor=0.0)
    drawn = distance(drawn_by_hand(6, 500, 0) @ TOTALS)
    low, high = ends_by_hand(drawn - (drawn.mean() - found.value), 6, 0.95)
    assert low < 0
    assert (found.low, found.high) == (0.0, pytest.approx(high))


def test_one_cluster_has_no_interval_two_have():
    assert np.isnan(bootstrap_interval(TOTALS[:1]).low)
    assert not np.isnan(bootstrap_interval(TOTALS[:2]).low)


def test_a_difference_draws_the_same_people_in_both_and_in_every_cell():
    names = [np.array(["b", "a", "b"]), np.array(["c", "d", "c"])]
    first = [np.array([[1.0, 1], [0, 1], [1, 1]]), np.array([[0.0, 1], [1, 1], [1, 1]])]
    second = [np.array([[0.0, 1], [0, 1], [1, 1]]), np.array([[0.0, 1], [0, 1], [1, 1]])]
    cells = [CellTotals(*cell) for cell in zip(names, first, second, strict=True)]
    found = mean_difference_interval(cells, draws=400, seed=3)
    assert found.value == pytest.approx(np.mean([2 / 3 - 1 / 3, 2 / 3 - 1 / 3]))
    weights = dict(zip("abcd", drawn_by_hand(4, 400, 3).T, strict=True))
    by_cell = []
    with np.errstate(invalid="ignore"):
        for people, one, other in zip(names, first, second, strict=True):
            times = np.array([weights[name] for name in people])  # (rows, draws)
            sums = [times.T @ table for table in (one, other)]
            by_cell.append(sums[0][:, 0] / sums[0][:, 1] - sums[1][:, 0] / sums[1][:, 1])
    drawn = np.nanmean(by_cell, axis=0)
    assert (found.low, found.high) == pytest.approx(ends_by_hand(drawn[~np.isnan(drawn)], 4, 0.95))


def test_unlike_cells_are_averaged_not_added():
    cells = [
        CellTotals(np.array(["a", "b"]), np.array([[k, 1.0], [k, 1]]), np.tile([0.0, 1.0], (2, 1))) for k in (1, 3)
    ]
    assert mean_difference_interval(cells, draws=10).value == 2.0


@pytest.mark.parametrize("values", [[1.0, 2, 3], [-1.0, -2, 4], [-3.0, -1, -0.5, 0.2, 0.1], [5.0], [1.0, -1]])
def test_p_counts_all_patterns_at_least_as_far(values):
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=len(values))]
    expected = np.mean([total >= abs(sum(values)) - 1e-9 for total in sums])
    assert sign_flip_test(values) == (pytest.approx(expected), True, len(values))


def test_forty_pairs_are_still_counted_and_more_are_drawn():
    values = np.ones(40)
    values[:12] = -1  # 28 of 40 point one way
    expected = 2 * sum(comb(40, k) for k in range(28, 41)) / 2**40
    assert sign_flip_test(values) == (pytest.approx(expected), True, 40)
    more = sign_flip_test(np.ones(41), sampled=99)
    assert more == (pytest.approx(1 / 100), False, 41)  # the observed pattern counts itself


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.9, 0.02]).tolist() == pytest.approx([0.08, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.5, 0.7]).tolist() == [1.0, 1.0, 1.0]
    assert holm([0.01, 0.011, 0.012]).tolist() == pytest.approx([0.03, 0.03, 0.03])


def test_spread():
    assert fold_spread([1.0, 2.0, 6.0]) == (3.0, pytest.approx(7**0.5), 3)
    assert np.isnan(fold_spread([1.0]).deviation)
