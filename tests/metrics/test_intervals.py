"""The intervals cover what they claim, and p-values are uniform where nothing is to be found: by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finegrained_crl.metrics import catalogue
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.intervals import (
    CellTotals,
    bootstrap_interval,
    fold_spread,
    holm,
    mean_difference_interval,
    sign_flip_test,
)
from finegrained_crl.metrics.totals import cluster_totals, ratio, summed, with_count


def photos(random, subjects, rate=0.6):
    """People with 1..12 photos each; how easy a person is varies far more than chance would."""
    easy = random.beta(4 * rate, 4 * (1 - rate), subjects)
    size = random.integers(1, 13, subjects)
    who = np.repeat(np.arange(subjects), size)
    return (random.random(who.size) < easy[who]).astype(float), who


def totals_of(values, who):
    return cluster_totals(np.stack([values, np.ones_like(values)], 1), who)


def coverage(simulations, subjects, draws):
    random = np.random.default_rng(7)
    hits = 0
    for i in range(simulations):
        interval = bootstrap_interval(totals_of(*photos(random, subjects)), draws=draws, seed=i)
        hits += interval.low <= 0.6 <= interval.high
    return hits / simulations


def paired_coverage(simulations, subjects, draws):
    """Two classifiers on the same photos, the second 5 points better on average, both depending on the person."""
    random = np.random.default_rng(8)
    hits = 0
    for i in range(simulations):
        first, who = photos(random, subjects)
        flip = random.random(who.size)
        second = np.where((first == 0) & (flip < 0.125), 1.0, first)  # .4 * .125 = 5 points
        interval = mean_difference_interval(
            [CellTotals(who.astype(str), with_count(second), with_count(first))], draws=draws, seed=i
        )
        hits += interval.low <= 0.05 <= interval.high
    return hits / simulations


def test_interval_covers_the_truth_on_clustered_data():
    assert coverage(1500, 60, 800) == pytest.approx(0.95, abs=0.02)


def test_paired_interval_covers_the_truth():
    assert paired_coverage(1500, 60, 800) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [30, 120, 400])
def test_coverage_from_few_to_many_subjects(subjects):
    assert coverage(4000, subjects, 2000) == pytest.approx(0.95, abs=0.02)
    assert paired_coverage(4000, subjects, 2000) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
def test_with_fifteen_people_a_difference_is_covered_less_often():
    # What docs/adience.md says of few people: rare differences are skewed, and percentiles of a bootstrap are not
    # enough for them.
    assert coverage(4000, 15, 2000) == pytest.approx(0.94, abs=0.015)
    assert paired_coverage(4000, 15, 2000) == pytest.approx(0.92, abs=0.015)


def test_ignoring_the_clusters_would_cover_too_little():
    random = np.random.default_rng(9)
    hits = 0
    for i in range(300):
        values, who = photos(random, 60)
        interval = bootstrap_interval(totals_of(values, np.arange(who.size)), draws=500, seed=i)
        hits += interval.low <= 0.6 <= interval.high
    assert hits / 300 < 0.85


def test_interval_is_seeded_and_independent_of_row_order():
    values, who = photos(np.random.default_rng(1), 40)
    first = bootstrap_interval(totals_of(values, who), seed=3)
    shuffled = np.random.default_rng(2).permutation(len(who))
    assert bootstrap_interval(totals_of(values[shuffled], who[shuffled]), seed=3) == first
    assert bootstrap_interval(totals_of(values, who), seed=4) != first
    assert first.value == pytest.approx(values.mean())


def test_one_subject_has_no_interval():
    interval = bootstrap_interval(totals_of(np.array([1.0, 0.0]), np.array(["ann", "ann"])))
    assert interval.value == 0.5
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_difference_is_the_mean_over_cells_whatever_their_sizes():
    random = np.random.default_rng(6)
    cells, expected = [], []
    for size in (4, 40):
        first, second = random.random(size) < 0.7, random.random(size) < 0.5
        cells.append(CellTotals(np.arange(size).astype(str), with_count(first), with_count(second)))
        expected.append(first.mean() - second.mean())
    interval = mean_difference_interval(cells)
    assert interval.value == pytest.approx(np.mean(expected))
    assert interval.low < interval.value < interval.high


def test_people_of_several_cells_are_drawn_together():
    # Three seeds of one fold show the same people: they tell no more of other people than one does.
    random = np.random.default_rng(11)
    first, second = with_count(random.random(60) < 0.7), with_count(random.random(60) < 0.5)
    cell = CellTotals(np.repeat(np.arange(30), 2).astype(str), first, second)
    assert mean_difference_interval([cell] * 3) == pytest.approx(mean_difference_interval([cell]))


def test_a_calibration_error_lies_inside_its_own_interval():
    random = np.random.default_rng(12)
    ece = catalogue.find_figure("ece")
    outside = 0
    for i in range(100):
        logits = random.normal(size=(300, 4))
        labels = (softmax(logits).cumsum(1) > random.random((300, 1))).argmax(1)  # calibrated by construction
        totals = ece.totals(catalogue.make_scores(logits, labels))
        interval = bootstrap_interval(totals, ece.statistic, draws=300, seed=i, floor=ece.floor)
        assert interval.low >= 0
        outside += not interval.low <= interval.value <= interval.high
    assert outside == 0


def test_sparse_totals_are_the_same_totals():
    random = np.random.default_rng(13)
    scores = catalogue.make_scores(random.normal(size=(90, 7)), random.integers(0, 7, 90))
    figure = catalogue.find_figure("mean_class_accuracy")
    sparse = figure.totals(scores)
    who = np.arange(90) // 3
    assert bootstrap_interval(cluster_totals(sparse, who), figure.statistic) == pytest.approx(
        bootstrap_interval(cluster_totals(sparse.toarray(), who), figure.statistic)
    )
    assert ratio(summed(with_count([1, 0, 1]))) == pytest.approx(2 / 3)


def test_p_values_are_uniform_under_the_null():
    random = np.random.default_rng(5)
    fold_hardness = 4 * random.normal(size=(2000, 5, 1))
    runs = fold_hardness[..., None] + random.normal(size=(2000, 5, 2, 2))  # simulation, fold, seed, loss
    differences = (runs[..., 0] - runs[..., 1]).reshape(2000, 10)
    p = np.array([sign_flip_test(d).p for d in differences])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    for level in (0.01, 0.05, 0.1, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 2000) + 2 / 1024)


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


def test_many_pairs_exactly_then_by_sample():
    differences = np.random.default_rng(4).normal(0.3, 1, 40)
    exact, sampled = sign_flip_test(differences), sign_flip_test(np.append(differences, 1e-9))
    assert exact.exact
    assert not sampled.exact
    assert sampled.p == pytest.approx(exact.p, rel=0.1)


def test_fold_spread_states_ddof_1():
    spread = fold_spread([54, 44, 54, 46, 49])
    assert spread.deviation == pytest.approx(np.std([54, 44, 54, 46, 49], ddof=1))
    assert np.isnan(fold_spread([3.0]).deviation)


def test_holm_is_monotone_and_never_smaller():
    values = np.array([0.04, 0.001, 0.3, 0.02])
    adjusted = holm(values)
    assert (adjusted >= values).all()
    assert (np.argsort(adjusted, kind="stable")[:1] == 1).all()
    assert adjusted[1] == pytest.approx(0.004)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(np.zeros((0, 2))), "at least one cluster"),
        (lambda: bootstrap_interval(np.ones((3, 2)), level=1.0), r"`level` must be in \(0, 1\)"),
        (lambda: sign_flip_test([]), "at least one finite difference"),
        (lambda: sign_flip_test([np.nan]), "at least one finite difference"),
        (lambda: fold_spread([]), "at least one value"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
