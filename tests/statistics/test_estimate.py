"""One interval per figure: values by hand; its coverage on simulated studies that share no code with it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from finegrained_crl.metrics import catalogue
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.totals import ratio, with_count
from finegrained_crl.statistics.estimate import estimate, interval_ends
from finegrained_crl.statistics.runs import make_run
from finegrained_crl.statistics.uncertainty import Component, Uncertainty

TOOLS = Path(__file__).parents[2] / "tools"


def benchmark():
    sys.path.insert(0, str(TOOLS))
    from benchmark import load

    return load(TOOLS / "benchmarks" / "intervals.py")


def made_runs(folds, seeds, pictures=40, seed=0):
    random = np.random.default_rng(seed)
    for fold in range(folds):
        for _ in range(seeds):
            hits, others = with_count(random.random(pictures) < 0.7), with_count(random.random(pictures) < 0.6)
            yield make_run(fold, [f"{fold}/{i // 2}" for i in range(pictures)], hits, others)


def test_folds_are_compared_after_their_seeds_were_averaged():
    runs = list(made_runs(5, 3))
    one = estimate(runs)
    means = np.array([run.value(ratio) for run in runs]).reshape(5, 3).mean(1)
    theirs = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert (one.value, one.low, one.high) == pytest.approx((means.mean(), theirs.low, theirs.high))
    assert (one.folds, one.seeds, one.clusters, one.not_in_it) == (5, 3, 100, ())
    assert [(part.source, part.df) for part in one.uncertainty.components] == [("folds", 4)]
    assert one.per_run.tolist() == [run.value(ratio) for run in runs]


def test_folds_count_the_same_however_many_seeds_they_have():
    runs = list(made_runs(2, 3))[:4]  # three seeds of fold 0, one of fold 1
    one = estimate(runs)
    assert one.value == pytest.approx((one.per_run[:3].mean() + one.per_run[3]) / 2)
    assert one.seeds == 1


def test_one_split_adds_runs_and_people_and_counts_what_both_hold_once():
    runs = list(made_runs(1, 4))
    one = estimate(runs)
    # Each person has two pictures, so a mean is linear in people and the jackknife is their variance over their number.
    by_person = np.array([(run.totals[:, 0] - run.baseline[:, 0]) / 2 for run in runs])
    people, seeds = by_person.shape[1], len(runs)
    shared = by_person.mean(0).var(ddof=1) / people
    both = (by_person - by_person.mean(0)).var(axis=1, ddof=1).sum() / people / (seeds * (seeds - 1))
    training = by_person.mean(1).var(ddof=1) / seeds
    parts = {part.source: part for part in one.uncertainty.components}
    assert parts["runs"].variance == pytest.approx(training)
    assert parts["people"].variance == pytest.approx(max(0, shared - both))
    assert (parts["runs"].df, parts["people"].df) == (3, 19)
    assert one.not_in_it == ()


def test_one_run_says_that_training_is_not_in_its_interval():
    one = estimate(list(made_runs(1, 1)))
    assert one.not_in_it == ("one seed: chance in training is not in this interval",)
    assert one.low < one.value < one.high


def test_one_person_has_runs_alone():
    runs = [make_run(0, ["ann"] * 4, with_count([1, 0, 0, k])) for k in (0, 1, 1)]
    one = estimate(runs)
    assert [part.source for part in one.uncertainty.components] == ["runs"]
    assert one.not_in_it == ("one person: other people are not in this interval",)
    single = estimate(runs[:1])
    assert np.isnan(single.low)
    assert len(single.not_in_it) == 2


def test_people_whom_one_run_did_not_see_change_nothing_in_it():
    first = make_run(0, ["ann", "bob"], with_count([1, 0]))
    second = make_run(0, ["bob", "cid"], with_count([1, 0]))
    one = estimate([first, second])
    assert one.clusters == 3
    replicates = np.array([[0.0, 1.0, 0.5], [0.5, 0.0, 1.0]])  # without ann, bob, cid
    shared = replicates.mean(0)
    expected = ((shared - shared.mean()) ** 2).sum() * 2 / 3
    contrasts = replicates - shared
    both = (((contrasts - contrasts.mean(1, keepdims=True)) ** 2).sum() * 2 / 3) / 2
    parts = {part.source: part.variance for part in one.uncertainty.components}
    assert parts["people"] == pytest.approx(max(0, expected - both))


def test_an_undefined_figure_has_no_interval():
    one = estimate(list(made_runs(3, 1)), lambda totals: totals[:, 0] * np.nan)
    assert np.isnan([one.value, one.low, one.high]).all()


def test_no_spread_no_interval():
    runs = [make_run(fold, ["ann", "bob"], with_count([1, 1])) for fold in range(3)]
    one = estimate(runs)
    assert one.value == 1
    assert np.isnan([one.low, one.high]).all()


def test_ends_keep_to_the_range_of_the_figure():
    spread = Uncertainty((Component("folds", 0.03**2, 4),))
    low, high = interval_ends(0.98, spread, "share", 0.95)
    reach = stats.t.ppf(0.975, 4) * 0.03 / (0.98 * 0.02)
    odds = np.log(0.98 / 0.02)
    assert (low, high) == pytest.approx((1 / (1 + np.exp(-odds + reach)), 1 / (1 + np.exp(-odds - reach))))
    low, high = interval_ends(0.05, spread, "positive", 0.95)
    assert 0 < low < 0.05 < high
    assert low * high == pytest.approx(0.05**2)
    assert interval_ends(0.0, spread, "plain", 0.95) == pytest.approx(
        (-0.03 * stats.t.ppf(0.975, 4), 0.03 * stats.t.ppf(0.975, 4))
    )


def test_a_wider_level_is_wider():
    runs = list(made_runs(4, 2))
    assert estimate(runs, level=0.99).low < estimate(runs, level=0.9).low


def test_order_of_rows_does_not_matter():
    random = np.random.default_rng(1)
    hits, who = with_count(random.random(60) < 0.5), np.arange(60) // 4
    order = random.permutation(60)
    first = estimate([make_run(0, who, hits)])
    second = estimate([make_run(0, who[order], hits[order])])
    assert (first.value, first.low, first.high) == pytest.approx((second.value, second.low, second.high))


@pytest.mark.parametrize(("runs", "level"), [([], 0.95), (list(made_runs(2, 1)), 1.0), (list(made_runs(2, 1)), 0.0)])
def test_bad_arguments(runs, level):
    with pytest.raises(ValueError, match="at least one run and a level"):
        estimate(runs, level=level)


def test_a_calibration_error_lies_inside_its_own_interval():
    random = np.random.default_rng(12)
    ece = catalogue.find_figure("ece")
    for _ in range(60):
        logits = random.normal(size=(300, 4))
        labels = (softmax(logits).cumsum(1) > random.random((300, 1))).argmax(1)  # calibrated by construction
        totals = ece.totals(catalogue.make_scores(logits, labels))
        one = estimate([make_run(0, np.arange(300), totals)], ece.statistic, scale=ece.scale)
        assert 0 <= one.low <= one.value <= one.high


def test_agrees_with_scipys_bootstrap_on_one_run_of_many_people():
    random = np.random.default_rng(2)
    hits = (random.random(900) < 0.6).astype(float)
    theirs = stats.bootstrap((hits,), np.mean, n_resamples=5000, method="BCa", rng=random).confidence_interval
    one = estimate([make_run(0, np.arange(900), with_count(hits))], scale="share")
    assert (one.low, one.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


DESIGNS = {
    "one split, runs differ": {"seeds": 3, "run_deviation": 1.5},
    "one split, fifteen people": {"people": 15, "pictures": 300, "seeds": 5, "uneven": True},
    "folds interact": {"people": 100, "pictures": 600, "folds": 5, "interaction": 2.0},
}


@pytest.mark.parametrize("name", DESIGNS)
def test_covers_and_claims_as_promised(name):
    module = benchmark()
    studies = 300
    row = module.try_design(replace(module.Design(), **DESIGNS[name]), studies, seed=2)
    error = np.sqrt(0.95 * 0.05 / studies)
    for figure in ("accuracy", "accuracy_difference", "distance", "distance_difference"):
        assert 0.95 - 3 * error < row[f"covers_{figure}"], figure
        assert row[f"covers_{figure}"] < 0.975 + 3 * error, figure
    assert row["claims_accuracy"] <= 0.05 + 3 * error


def test_people_alone_would_cover_too_little_where_runs_differ():
    # What the report did before: the interval of one run's people around the mean of three runs.
    module = benchmark()
    design = module.Design(people=5794, pictures=5794, seeds=2, run_deviation=1.0)
    latent, random = module.latent_of(design), np.random.default_rng(0)
    inside = 0
    for _ in range(60):
        runs = list(
            module._runs(
                module.simulate(design, latent, random), {5794: np.char.zfill(np.arange(5794).astype(str), 4)}, 0
            )
        )
        people = next(p for p in estimate(runs[:1]).uncertainty.components if p.source == "people")
        inside += abs(estimate(runs).value) < 1.96 * people.variance**0.5
    assert inside / 60 < 0.85


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_cell_of_the_grid_covers():
    module = benchmark()
    for cell in module.grid():
        row = module.try_design(cell, 500)
        if cell.folds == cell.seeds == 1:  # chance in training can't be seen: it is labelled, and claims nothing
            assert row["claims_accuracy"] == 0, cell
            continue
        for figure in ("accuracy", "accuracy_difference", "distance", "distance_difference"):
            assert row[f"covers_{figure}"] > 0.91, (cell, figure)  # 95 % less four standard errors of 500 studies
        assert row["claims_accuracy"] <= 0.08, cell
