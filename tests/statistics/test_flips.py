"""The sign-flip test and Holm's adjustment, against plain enumerations and scipy."""

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finegrained_crl.statistics.flips import holm, sign_flip_test


@pytest.mark.parametrize("values", [[1.0, 2, 3], [-1.0, -2, 4], [-3.0, -1, -0.5, 0.2, 0.1], [5.0], [1.0, -1]])
def test_p_counts_all_patterns_at_least_as_far(values):
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=len(values))]
    expected = np.mean([total >= abs(sum(values)) - 1e-9 for total in sums])
    assert sign_flip_test(values) == (pytest.approx(expected), True, len(values), 2 / 2 ** len(values))


def test_forty_differences_are_still_counted_and_more_are_drawn():
    values = np.ones(40)
    values[:12] = -1  # 28 of 40 point one way
    expected = 2 * sum(comb(40, k) for k in range(28, 41)) / 2**40
    assert sign_flip_test(values) == (pytest.approx(expected), True, 40, 2**-39)
    more = sign_flip_test(np.ones(41), sampled=99)
    assert more == (pytest.approx(1 / 100), False, 41, 1 / 100)  # the observed pattern counts itself


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9))
def test_counts_every_sign_pattern(numbers):
    patterns = [
        abs(sum(s * x for s, x in zip(signs, numbers, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(numbers))
    ]
    expected = np.mean([value >= abs(sum(numbers)) for value in patterns])
    assert sign_flip_test([x / 7 for x in numbers]).p == pytest.approx(expected)


def test_agrees_with_scipy():
    differences = np.random.default_rng(3).normal(0.4, 1, 11)
    theirs = stats.permutation_test(
        (differences, np.zeros(11)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert sign_flip_test(differences).p == pytest.approx(theirs.pvalue)


def test_many_are_drawn_from_a_seed():
    differences = np.random.default_rng(4).normal(0.3, 1, 40)
    exact, sampled = sign_flip_test(differences), sign_flip_test(np.append(differences, 1e-9))
    assert (exact.exact, sampled.exact) == (True, False)
    assert sampled.p == pytest.approx(exact.p, rel=0.1)


@pytest.mark.parametrize("values", [[], [np.nan], [[1.0]]])
def test_nothing_to_flip(values):
    with pytest.raises(ValueError, match="at least one finite difference"):
        sign_flip_test(values)


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.9, 0.02]).tolist() == pytest.approx([0.08, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.5, 0.7]).tolist() == [1.0, 1.0, 1.0]
    assert holm([0.01, 0.011, 0.012]).tolist() == pytest.approx([0.03, 0.03, 0.03])
