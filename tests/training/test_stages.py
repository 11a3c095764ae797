"""Stages one after the other."""

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.stages import Stage, place


def test_each_begins_where_the_one_before_ends():
    stages = [Stage("a", {"epochs": 2, "lr": 1.0}), Stage("none", {"epochs": 0}), Stage("b", {"epochs": 3}), Stage("c")]
    placed = place(stages, Recipe(epochs=5, lr=0.5))
    assert [(p.stage.name, p.first, p.end) for p in placed] == [("a", 0, 2), ("b", 2, 5), ("c", 5, 10)]
    assert [p.recipe.lr for p in placed] == [1.0, 0.5, 0.5]


def test_what_holds_for_the_whole_run_is_no_stages_business():
    with pytest.raises(FinegrainedError, match="stage 'a' of the method sets image_size, seed; a stage may set freeze"):
        place([Stage("a", {"image_size": 32, "lr": 1.0, "seed": 2})], Recipe())
