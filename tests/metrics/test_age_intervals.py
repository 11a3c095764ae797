"""Conformal intervals: against a plain loop, and their coverage measured on people that they have not seen."""

import math

import numpy as np
import pytest

from finegrained_crl.metrics.age_intervals import AgeInterval, age_interval
from finegrained_crl.metrics.ages import AgeScale


def by_loop(errors, people, level):
    """The smallest error to which the stated share of the people (and one more) keeps, a picture of a person drawn at
    random."""
    names = sorted(set(people))
    for error in sorted(errors):
        kept = sum(np.mean([e <= error for e, p in zip(errors, people, strict=True) if p == name]) for name in names)
        if kept >= level * (len(names) + 1) - 1e-9:
            return error
    return math.inf


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_radius_is_that_of_the_loop(level):
    random = np.random.default_rng(1)
    people = [f"p{i}" for i in random.integers(0, 30, 90)]
    errors = random.gamma(2, 3, 90)
    found = age_interval(errors, people, level)
    assert found.radius == by_loop(errors, people, level)
    assert found.people == len(set(people))


def test_a_person_with_many_pictures_counts_once():
    errors, people = np.array([1.0] * 20 + [5.0, 6.0, 7.0]), ["a"] * 20 + ["b", "c", "d"]
    assert age_interval(errors, people, 0.6).radius == 6.0
    assert age_interval(errors, [str(i) for i in range(23)], 0.6).radius == 1.0


def test_too_few_people_give_no_interval():
    assert math.isinf(age_interval(np.array([1.0, 2.0]), ["a", "b"], 0.9).radius)
    assert AgeInterval(0.9, math.inf, 2).as_dict(np.ones(3))["radius"] is None


def test_coverage_on_new_people_is_what_was_asked_for():
    """1,000 times: errors of 60 people with 1 to 5 pictures each, then one picture of a new person."""
    random, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        taste = random.gamma(2, 3, 61)
        counts = random.integers(1, 6, 60)
        people = np.repeat(np.arange(60), counts)
        errors = taste[people] * random.uniform(0.5, 1.5, len(people))
        hits += age_interval(errors, people.astype(str), 0.9).radius >= taste[60] * random.uniform(0.5, 1.5)
    assert 0.87 <= hits / 1000 <= 0.94


def test_ends_stay_on_the_scale_and_coverage_is_counted():
    interval = AgeInterval(0.9, 5.0, 40)
    low, high = interval.ends(np.array([2.0, 50.0]), AgeScale(0, 52))
    assert (low.tolist(), high.tolist()) == ([0.0, 45.0], [7.0, 52.0])
    assert interval.coverage(np.array([5.0, 5.1])) == 0.5
    assert interval.as_dict(np.array([1.0])) == {"level": 0.9, "radius": 5.0, "people": 40, "coverage": 1.0}


@pytest.mark.parametrize(("errors", "level"), [([1.0], 1.0), ([], 0.9)])
def test_what_is_no_question_is_refused(errors, level):
    with pytest.raises(ValueError, match="expected pictures and a level between 0 and 1"):
        age_interval(np.array(errors), ["a"] * len(errors), level)
