"""Abstaining: the promised risk is kept on new pictures, and never promised where it can't be."""

import numpy as np
import pytest
from scipy.stats import binom

from finegrained_crl.metrics.selective import risk_threshold, upper_bound


def draw(random, n):
    """Pictures whose answer is right with the probability that their confidence states."""
    confidence = random.uniform(0.3, 1, n)
    return confidence, random.random(n) < confidence


@pytest.mark.parametrize(("errors", "n"), [(0, 10), (3, 50), (40, 41)])
def test_the_bound_is_the_rate_at_which_so_few_errors_are_rare(errors, n):
    assert binom.cdf(errors, n, upper_bound(errors, n, 0.05)) == pytest.approx(0.05, abs=1e-9)


def test_all_wrong_bounds_nothing():
    assert upper_bound(7, 7, 0.05) == 1


def test_the_promise_is_kept_on_new_pictures():
    random = np.random.default_rng(0)
    new_confidence, new_right = draw(random, 200_000)
    broken, found = 0, 0
    for _ in range(300):
        threshold = risk_threshold(*draw(random, 400), 0.15)
        if threshold is None:
            continue
        answered = new_confidence >= threshold.confidence
        found += 1
        broken += (~new_right[answered]).mean() > 0.15
    assert found > 90
    assert broken / found <= 0.05


def test_facts_are_those_of_the_answers():
    random = np.random.default_rng(1)
    confidence, right = draw(random, 500)
    threshold = risk_threshold(confidence, right, 0.2)
    answered = confidence >= threshold.confidence
    assert threshold.coverage == answered.mean()
    assert threshold.error == (~right[answered]).mean()
    assert threshold.error < threshold.bound <= 0.2


def test_more_risk_answers_more():
    confidence, right = draw(np.random.default_rng(2), 2000)
    coverages = [risk_threshold(confidence, right, risk).coverage for risk in (0.1, 0.2, 0.9)]
    assert coverages == sorted(coverages)
    assert coverages[0] < coverages[1] < 0.99 < coverages[2]


def test_equal_confidences_are_answered_alike():
    confidence = np.repeat([0.5, 0.9], 100)
    right = np.repeat([False, True], 100)
    threshold = risk_threshold(confidence, right, 0.1)
    assert (threshold.confidence, threshold.coverage, threshold.error) == (0.9, 0.5, 0)


@pytest.mark.parametrize("right", [np.zeros(50, bool), np.ones(10, bool), np.ones(1, bool)])
def test_too_few_or_too_bad_promises_nothing(right):
    assert risk_threshold(np.linspace(0, 1, len(right)), right, 0.05) is None
