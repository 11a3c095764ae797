"""Verdicts: what the rule allows, and what it does not."""

import numpy as np
import pytest
from scipy import stats

from finegrained_crl.statistics.claims import beats, judge, overlap_corrected, probabilities
from finegrained_crl.statistics.estimate import Estimate
from finegrained_crl.statistics.uncertainty import Component, Uncertainty


def over_folds(value, error, folds=5, seeds=1):
    spread = Uncertainty((Component("folds", error**2, folds - 1),))
    return Estimate(value, value - error, value + error, 0.95, spread, np.zeros(folds * seeds), folds, seeds, 99, ())


def one_split(value, error, seeds, not_in_it=()):
    people = Component("people", error**2 / 4, 60)
    spread = Uncertainty((people,) if seeds == 1 else (Component("runs", error**2, seeds - 1), people))
    return Estimate(value, value - error, value + error, 0.95, spread, np.zeros(seeds), 1, seeds, 99, not_in_it)


def verdicts(estimates, *, lower=False, rope=0.0, held_out=None):
    return judge(estimates, [lower] * len(estimates), [rope] * len(estimates), held_out)


def test_p_is_nadeau_and_bengios():
    differences = np.array([0.02, 0.03, 0.01, 0.025, 0.015])
    error = differences.std(ddof=1) / 5**0.5
    claim = verdicts([over_folds(differences.mean(), error)], held_out=0.25)[0]
    t = differences.mean() / np.sqrt((1 / 5 + 0.25 / 0.75) * differences.var(ddof=1))
    assert claim.p == pytest.approx(2 * stats.t.sf(t, 4))
    assert claim.p == claim.p_adjusted
    assert claim.verdict == "better"


def test_the_overlap_of_all_folds_is_one_in_their_number():
    assert overlap_corrected(over_folds(1, 1)).variance == pytest.approx(5 * (1 / 5 + 1 / 4))
    assert overlap_corrected(over_folds(1, 1), 0.1).variance == pytest.approx(5 * (1 / 5 + 1 / 9))
    assert overlap_corrected(one_split(1, 1, 3)).variance == one_split(1, 1, 3).uncertainty.variance


@pytest.mark.parametrize(
    ("value", "lower", "verdict"), [(9, False, "better"), (9, True, "worse"), (-9, True, "better")]
)
def test_better_follows_the_direction_of_the_figure(value, lower, verdict):
    assert verdicts([over_folds(value, 1)], lower=lower)[0].verdict == verdict


def test_more_looks_make_a_claim_harder():
    clear, chance = over_folds(4.5, 1), over_folds(0.1, 1)
    assert verdicts([clear])[0].verdict == "better"
    alone = verdicts([clear])[0].p
    among = verdicts([clear, chance, chance])[0]
    assert among.p_adjusted == pytest.approx(3 * alone)
    assert among.verdict == "cannot tell"


def test_what_can_not_be_tested_is_no_look():
    clear, undefined = over_folds(4.5, 1), over_folds(np.nan, np.nan)
    assert verdicts([clear, undefined])[0].verdict == "better"
    assert verdicts([clear, undefined])[1].verdict == "cannot tell"


@pytest.mark.parametrize(
    ("estimate", "reason"),
    [
        (one_split(9, 0.01, 1, ("one seed: chance in training is not in this interval",)), "one seed"),
        (one_split(9, 0.01, 2), "2 seeds of one split"),
        (over_folds(9, 0.01, folds=2), "2 folds"),
        (over_folds(9, 0.0), "no spread"),
    ],
)
def test_designs_that_can_claim_nothing(estimate, reason):
    claim = verdicts([estimate], rope=20)[0]
    assert claim.verdict == "cannot tell"
    assert reason in claim.barred


def test_three_seeds_of_one_split_may_claim():
    assert verdicts([one_split(9, 0.5, 3)])[0].verdict == "better"
    assert verdicts([one_split(9, 0.5, 3)])[0].barred == ""


def test_equivalence_needs_a_region_and_both_sides_inside():
    near = over_folds(0.1, 0.1)
    assert verdicts([near])[0].verdict == "cannot tell"
    assert verdicts([near], rope=1.0)[0].verdict == "equivalent"
    assert verdicts([near], rope=0.3)[0].verdict == "cannot tell"
    # Both one-sided tests: the nearer end decides.
    spread = overlap_corrected(near)
    edge = 0.1 + stats.t.ppf(0.95, 4) * spread.error
    assert verdicts([near], rope=edge * 1.001)[0].verdict == "equivalent"
    assert verdicts([near], rope=edge * 0.999)[0].verdict == "cannot tell"


def test_with_a_region_better_means_better_by_more_than_it():
    one = over_folds(5.0, 1.0)
    assert verdicts([one])[0].verdict == "better"
    assert verdicts([one], rope=1.0)[0].verdict == "cannot tell"
    t = (5 - 1) / overlap_corrected(one).error
    assert verdicts([one], rope=1.0)[0].p == pytest.approx(2 * stats.t.sf(t, 4))
    assert verdicts([one], rope=6.0)[0].p == 1


def test_probabilities_are_the_posteriors():
    spread = overlap_corrected(over_folds(0, 1))
    worse, equivalent, better = probabilities(0.8, spread, 0.5)
    posterior = stats.t(4, loc=0.8, scale=spread.error)
    assert worse == pytest.approx(posterior.cdf(-0.5))
    assert better == pytest.approx(posterior.sf(0.5))
    assert equivalent == pytest.approx(posterior.cdf(0.5) - posterior.cdf(-0.5))
    assert np.isnan(probabilities(0.8, Uncertainty(()), 0.5)).all()
    lower = verdicts([over_folds(-0.8, 1)], lower=True, rope=0.5)[0]
    assert lower.probabilities == pytest.approx((worse, equivalent, better))


def test_runs_won_are_counted_within_folds():
    first, second = [0.5, 0.7, 0.9, 0.9], [0.6, 0.6, 0.9, 0.1]
    folds = ["a", "a", "b", "b"]
    assert beats(first, second, folds, lower_is_better=False) == pytest.approx((0.5 + (0.5 + 1 + 0.5 + 1) / 4) / 2)
    assert beats(first, second, folds, lower_is_better=True) == pytest.approx(1 - (0.5 + 0.75) / 2)
