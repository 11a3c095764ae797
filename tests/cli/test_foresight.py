"""What a study says that it can show, before it starts."""

import numpy as np
import pandas as pd
import pytest
from made_study import write_study

from finegrained_crl.cli.foresight import count_people, foresee
from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.reports.pilot import read_pilot
from finegrained_crl.statistics.power import Design, assumed, smallest_difference
from finegrained_crl.training.recipe import Component, Recipe


def plan(*losses, folds=(0, 1, 2, 3, 4), seeds=(0, 1, 2), select=()):
    variants = {name: Recipe(data="x", loss=Component(name.split()[0])) for name in losses}
    return Study(variants, list(folds), list(seeds), 1, tuple(select))


def test_assumptions_are_those_of_the_planner(tmp_path):
    foreseen = foresee(StudyFolder(tmp_path / "none"), plan("ce", "crl", "focal"), 500)
    sources = assumed(run=0.01, fold=0.01, taste=0.2, disagree=0.3, people=500, folds=5)
    assert foreseen.smallest == pytest.approx(smallest_difference(sources, Design(5, 3, 2)))
    assert foreseen.text.startswith(
        f"it can show differences from about {100 * foreseen.smallest:.1f} points of accuracy"
    )
    assert "assumed: see fgcrl power --assume" in foreseen.text


def test_finished_cells_are_the_pilot(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.5})
    foreseen = foresee(StudyFolder(folder), plan("ce", "crl", folds=(0, 1, 2), seeds=(0, 1, 2, 3)), 30)
    sources = read_pilot(collect(folder)).sources
    assert foreseen.smallest == pytest.approx(smallest_difference(sources, Design(3, 4)))
    assert "points of exact on (80 % power, as its finished cells vary)" in foreseen.text


def test_a_pilot_of_another_size_is_none(tmp_path):
    three = write_study(tmp_path / "three", {"ce": 1.0, "crl": 1.5})
    assert "assumed: see" in foresee(StudyFolder(three), plan("ce", "crl", folds=(0, 1, 2, 3, 4)), 30).text
    one_seed = write_study(tmp_path / "one", {"ce": 1.0, "crl": 1.5}, seeds=(0,))
    assert "assumed: see" in foresee(StudyFolder(one_seed), plan("ce", "crl", folds=(0, 1, 2)), 30).text


def test_designs_that_can_claim_nothing_say_so(tmp_path):
    foreseen = foresee(StudyFolder(tmp_path / "none"), plan("ce", "crl", folds=(None,), seeds=(0,)), 500)
    assert foreseen.smallest is None
    assert "can claim no difference" in foreseen.text


def test_nothing_compared_nothing_said(tmp_path):
    assert foresee(StudyFolder(tmp_path / "none"), plan("crl"), 500) is None
    assert foresee(StudyFolder(tmp_path / "none"), plan("crl lr=1", "crl lr=2", select=["lr"]), 500) is None


def test_people_are_counted_once_and_unknown_ones_each():
    class Records:
        table = pd.DataFrame({"subject": pd.Series(["ann", "ann", "bob", None, None], dtype="string")})

    assert count_people(Records, np.array([0, 1, 3, 4])) == 3
