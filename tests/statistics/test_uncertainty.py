"""Quantiles and p-values from variances with few degrees of freedom, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from finegrained_crl.statistics.uncertainty import Component, Uncertainty, effective_number, jackknife_variance

ONE = Uncertainty((Component("folds", 4.0, 4),))
TWO = Uncertainty((Component("runs", 1.0, 2), Component("people", 3.0, 50)))


def test_one_source_is_students_t():
    assert (ONE.variance, ONE.error) == (4.0, 2.0)
    assert ONE.quantile(0.95) == pytest.approx(stats.t.ppf(0.975, 4))
    assert ONE.p_value(3.0) == ONE.p_value(-3.0) == pytest.approx(2 * stats.t.sf(1.5, 4))
    assert ONE.above(-3.0) == pytest.approx(stats.t.cdf(1.5, 4))


def test_two_sources_weigh_their_quantiles_by_variance():
    expected = 0.25 * stats.t.ppf(0.975, 2) + 0.75 * stats.t.ppf(0.975, 50)
    assert TWO.quantile(0.95) == pytest.approx(expected)
    assert TWO.quantile(0.9) < TWO.quantile(0.95)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95, 0.999])
def test_p_values_and_intervals_agree(level):
    for spread in (ONE, TWO):
        distance = spread.quantile(level) * spread.error
        assert spread.p_value(distance) == pytest.approx(1 - level, abs=1e-9)
        assert spread.above(distance) + spread.above(-distance) == pytest.approx(1)
    assert TWO.above(0.0) == pytest.approx(0.5)
    assert TWO.p_value(1e9) < 1e-10


def test_without_spread_nothing_can_be_said():
    for spread in (Uncertainty(()), Uncertainty((Component("folds", 0.0, 4),))):
        assert not spread.usable
        assert np.isnan(spread.p_value(1.0))


def test_a_factor_is_on_variances():
    assert TWO.times(2.25).error == pytest.approx(1.5 * TWO.error)
    assert TWO.times(2.25).quantile(0.95) == pytest.approx(TWO.quantile(0.95))


def test_the_jackknife_of_a_mean_is_its_squared_error():
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    without = (values.sum() - values) / 4
    assert jackknife_variance(without) == pytest.approx(values.var(ddof=1) / 5)
    assert jackknife_variance(np.stack([without, 2 * without])) == pytest.approx(
        values.var(ddof=1) / 5 * np.array([1, 4])
    )
    with_gap = jackknife_variance(np.append(without, np.nan))
    assert with_gap == pytest.approx(values.var(ddof=1) / 5 * (5 / 6) / (4 / 5))


def test_unequal_people_tell_less():
    assert effective_number([5, 5, 5, 5]) == 4
    assert effective_number([97, 1, 1, 1]) == pytest.approx(100**2 / (97**2 + 3))
