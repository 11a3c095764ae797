"""The planner's numbers against simulated studies, and what it does with designs that can claim nothing."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finegrained_crl.metrics.totals import ratio, with_count
from finegrained_crl.statistics.claims import judge
from finegrained_crl.statistics.estimate import Estimate
from finegrained_crl.statistics.power import (
    Design,
    Sources,
    assumed,
    plans,
    power,
    seeds_needed,
    smallest_difference,
    sources_of,
)
from finegrained_crl.statistics.runs import make_run
from finegrained_crl.statistics.uncertainty import Component, Uncertainty

TOOLS = Path(__file__).parents[2] / "tools"
SOURCES = Sources(folds=0.01**2, runs=0.015**2, people=0.012**2)


def claims_of_simulated(difference, sources, design, studies=3000):
    """How often the rule itself claims the difference, on normal numbers."""
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(studies):
        if design.folds > 1:
            spread = np.sqrt(sources.folds + sources.people + sources.runs / design.seeds)
            means = difference + spread * random.standard_normal(design.folds)
            parts = (Component("folds", means.var(ddof=1) / design.folds, design.folds - 1),)
        else:
            runs = difference + np.sqrt(sources.runs) * random.standard_normal(design.seeds)
            means = runs + np.sqrt(sources.people) * random.standard_normal()
            training = Component("runs", means.var(ddof=1) / design.seeds, design.seeds - 1)
            parts = (training, Component("people", sources.people, 1000))
        value = float(means.mean())
        one = Estimate(value, 0, 0, 0.95, Uncertainty(parts), means, design.folds, design.seeds, 99, ())
        hits += judge([one], [False], [0.0])[0].verdict == "better"
    return hits / studies


# One split of a few seeds; of many it is slow.
@pytest.mark.parametrize(
    "design", [Design(5, 3), Design(10, 1), Design(1, 3), pytest.param(Design(1, 10), marks=pytest.mark.slow)]
)
def test_the_smallest_difference_is_found_in_eighty_percent_of_studies(design):
    smallest = smallest_difference(SOURCES, design)
    assert claims_of_simulated(smallest, SOURCES, design) == pytest.approx(0.8, abs=0.025)
    assert power(smallest, SOURCES, design) == pytest.approx(0.8, abs=0.001)
    assert smallest_difference(SOURCES, design, wanted=0.5) < smallest


def test_more_of_anything_shows_smaller_differences():
    base = smallest_difference(SOURCES, Design(5, 3))
    assert smallest_difference(SOURCES, Design(5, 10)) < base
    assert smallest_difference(SOURCES, Design(10, 3)) < base
    assert smallest_difference(SOURCES.times(people=0.5), Design(5, 3)) < base
    assert smallest_difference(SOURCES, Design(5, 3, comparisons=4)) > base
    assert power(0.0, SOURCES, Design(5, 3)) < 0.025


@pytest.mark.parametrize("design", [Design(1, 1), Design(1, 2), Design(2, 50)])
def test_designs_that_can_claim_nothing_show_nothing(design):
    assert smallest_difference(SOURCES, design) == float("inf")
    assert power(1.0, SOURCES, design) == 0


def test_seeds_needed_are_the_fewest():
    needed = seeds_needed(0.05, SOURCES, Design(1, 3))
    assert power(0.05, SOURCES, Design(1, needed)) >= 0.8
    assert power(0.05, SOURCES, Design(1, needed - 1)) < 0.8
    # Where losses suit folds, no number of seeds helps.
    assert seeds_needed(0.01, Sources(0.05**2, 0.001**2, 0.0), Design(5, 3)) is None


def pilot(folds, seeds, people=40, random=None):
    random = random or np.random.default_rng(3)
    for fold in range(folds):
        at_home = 0.05 * random.standard_normal()
        for _ in range(seeds):
            chance = at_home + 0.03 * random.standard_normal()
            values = np.clip(0.5 + chance + 0.2 * random.standard_normal(people), 0, 1)
            yield make_run(
                fold, [f"{fold}/{i:03}" for i in range(people)], with_count(values), with_count([0.5] * people)
            )


def test_sources_add_up_to_what_is_seen():
    runs = list(pilot(5, 3))
    sources = sources_of(runs)
    means = np.array([run.value(ratio) for run in runs]).reshape(5, 3)
    assert sources.runs == pytest.approx(means.var(axis=1, ddof=1).mean())
    assert sources.folds + sources.people + sources.runs / 3 == pytest.approx(means.mean(1).var(ddof=1))


def test_sources_are_those_that_were_put_in():
    random = np.random.default_rng(0)
    many = [sources_of(list(pilot(10, 4, random=random))) for _ in range(60)]
    folds, runs = (np.sqrt(np.mean([getattr(s, name) for s in many])) for name in ("folds", "runs"))
    assert folds == pytest.approx(0.05, abs=0.01)
    assert runs == pytest.approx(np.hypot(0.03, 0.2 / 40**0.5), abs=0.006)  # people's chance is drawn anew in each run


def test_a_pilot_without_repeats():
    assert sources_of(list(pilot(1, 1))).runs == 0
    assert sources_of(list(pilot(3, 1))).runs == 0
    assert sources_of(list(pilot(3, 1))).folds > 0
    assert sources_of(list(pilot(1, 4))).folds == 0


def test_a_plan_starts_from_the_study_and_changes_one_thing_at_a_time():
    rows = plans(SOURCES, Design(5, 3))
    assert (rows[0].design, rows[0].people) == (Design(5, 3), 1)
    for row in rows[1:]:
        changes = [row.design.folds != 5, row.design.seeds != 3, row.people != 1]
        assert sum(changes) == 1
    assert {row.people for row in rows} == {1, 2, 4}
    doubled = next(row for row in rows if row.people == 2)
    assert doubled.smallest == smallest_difference(SOURCES.times(people=0.5), Design(5, 3))
    assert all(row.design.folds == 1 for row in plans(SOURCES, Design(1, 3)))
    # The same pictures in twice the folds: fewer in each, so people and runs vary more.
    ten = next(row for row in rows if row.design.folds == 10)
    assert ten.smallest == smallest_difference(
        Sources(SOURCES.folds, 2 * SOURCES.runs, 2 * SOURCES.people), Design(10, 3)
    )


def test_assumptions_are_taken_as_said():
    sources = assumed(run=0.01, fold=0.02, taste=0.2, disagree=0.3, people=100, folds=5)
    assert sources.folds == pytest.approx(0.02**2)
    assert sources.runs == pytest.approx(2 * 0.01**2 + 0.3 / 20)
    assert sources.people == pytest.approx(0.2**2 / 20)
    assert assumed(run=0.01, fold=0.02, taste=0.2, disagree=0.3, people=100, folds=1).folds == 0


@pytest.mark.slow
def test_predictions_hold_on_simulated_pictures():
    sys.path.insert(0, str(TOOLS))
    from benchmark import load

    module = load(TOOLS / "benchmarks" / "intervals.py")
    design = replace(module.Design(), people=1000, pictures=1000, seeds=5, run_deviation=0.7)
    latent, random = module.latent_of(design), np.random.default_rng(5)
    names = {1000: np.char.zfill(np.arange(1000).astype(str), 4)}
    pilots = [sources_of(list(module._runs(module.simulate(design, latent, random), names, 0))) for _ in range(50)]
    sources = Sources(*np.mean([[s.folds, s.runs, s.people] for s in pilots], axis=0))
    smallest = smallest_difference(sources, Design(1, 5))
    row = module.try_design(replace(design, difference=100 * smallest), 1000, seed=9)
    assert row["claims_accuracy"] == pytest.approx(0.8, abs=0.05)
