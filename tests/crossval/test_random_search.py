"""Random search: what is drawn, that it can grow, and what is no space."""

import numpy as np
import pytest

from finegrained_crl.crossval.random_search import Choice, Range, draw_settings, parse_space
from finegrained_crl.errors import FinegrainedError


def test_draws_stay_in_the_space_and_are_even_in_the_logarithm():
    drawn = draw_settings(parse_space(["lr=1e-4..1e-1:log", "epochs=5,10,20", "batch-size=8..10"]), 400, seed=0)
    rates = np.array([setting["lr"] for setting in drawn])
    assert len(drawn) == 400
    assert 1e-4 <= rates.min() < 2e-4
    assert 0.05 < rates.max() <= 1e-1
    assert [np.mean(rates < 10.0**power) for power in (-3, -2)] == pytest.approx([1 / 3, 2 / 3], abs=0.08)
    for name, values in (("epochs", {5, 10, 20}), ("batch_size", {8, 9, 10})):
        counts = [sum(setting[name] == value for setting in drawn) for value in values]
        assert min(counts) > 90
        assert sum(counts) == 400
        assert all(type(setting[name]) is int for setting in drawn)


def test_a_range_without_log_is_even():
    values = [setting["momentum"] for setting in draw_settings(parse_space(["momentum=0.5..0.9"]), 300, seed=1)]
    assert np.mean(values) == pytest.approx(0.7, abs=0.02)
    assert Range(1.0, 3.0).at(0.25) == 1.5


def test_a_larger_budget_keeps_the_smaller_and_another_seed_draws_others():
    space = parse_space(["lr=1e-4..1e-1:log"])
    assert draw_settings(space, 9, seed=3)[:4] == draw_settings(space, 4, seed=3)
    assert draw_settings(space, 4, seed=4) != draw_settings(space, 4, seed=3)


def test_a_small_space_is_tried_whole_and_nothing_twice():
    drawn = draw_settings({"a": Choice((1, 2)), "b": Choice(("x", "y"))}, 50, seed=0)
    assert sorted((one["a"], one["b"]) for one in drawn) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lr"], "expected SETTING=LOW..HIGH"),
        (["lr=a..b"], "expected SETTING=LOW..HIGH"),
        (["lr=0.1..0.01"], "LOW must be below HIGH"),
        (["lr=0..1:log"], "above 0 for :log"),
        (["lr=1..2:cubic"], "LOW must be below HIGH"),
        (["lr=nan..1"], "LOW must be below HIGH"),
        (["lr=1", "lr=2"], "the same setting twice"),
        (["lr=1,1"], "expected SETTING=LOW..HIGH"),
    ],
)
def test_what_is_no_space(words, message):
    with pytest.raises(FinegrainedError, match=message):
        parse_space(words)
