import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from finegrained_crl.metrics import ordinal
from finegrained_crl.metrics.calibration import softmax

GROUPS = 8


@pytest.fixture
def guesses():
    random = np.random.default_rng(0)
    labels = random.integers(0, GROUPS, 500)
    return np.clip(labels + random.integers(-2, 3, 500), 0, GROUPS - 1), labels


@st.composite
def pairs(draw):
    size = draw(st.integers(1, 30))
    groups = st.lists(st.integers(0, GROUPS - 1), min_size=size, max_size=size)
    return np.array(draw(groups)), np.array(draw(groups))


def test_agrees_with_scikit_learn(guesses):
    predicted, labels = guesses
    assert ordinal.mae_in_groups(predicted, labels, GROUPS) == pytest.approx(sk.mean_absolute_error(labels, predicted))
    kappa = sk.cohen_kappa_score(labels, predicted, weights="quadratic", labels=range(GROUPS))
    assert ordinal.quadratic_weighted_kappa(predicted, labels, GROUPS) == pytest.approx(kappa)
    recalls = sk.recall_score(labels, predicted, labels=range(GROUPS), average=None)
    np.testing.assert_allclose(ordinal.recall_per_group(predicted, labels, GROUPS), recalls)
    assert (
        ordinal.group_counts(predicted, labels, GROUPS) == sk.confusion_matrix(labels, predicted, labels=range(GROUPS))
    ).all()
    assert ordinal.cumulative_score(predicted, labels, GROUPS, 0) == sk.accuracy_score(labels, predicted)


def test_agrees_with_torchmetrics(guesses):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional")
    predicted, labels = guesses
    kappa = functional.cohen_kappa(
        torch.tensor(predicted), torch.tensor(labels), task="multiclass", num_classes=GROUPS, weights="quadratic"
    )
    assert ordinal.quadratic_weighted_kappa(predicted, labels, GROUPS) == pytest.approx(float(kappa), abs=1e-6)


def test_agrees_with_dlordinal(guesses):
    theirs = pytest.importorskip("dlordinal.metrics")
    predicted, labels = guesses
    one_hot = np.eye(GROUPS)[predicted]
    assert ordinal.one_off_accuracy(predicted, labels, GROUPS) == pytest.approx(theirs.accuracy_off1(labels, one_hot))
    assert ordinal.macro_mae_in_groups(predicted, labels, GROUPS) == pytest.approx(theirs.amae(labels, one_hot))


def test_one_off_counts_the_fixed_groups_when_some_are_absent():
    # dlordinal numbers the groups that occur, so that 0 and 7 would be neighbours here; they are seven groups apart.
    assert ordinal.one_off_accuracy([0, 7], [7, 0], GROUPS) == 0.0
    assert ordinal.one_off_accuracy([6, 1], [7, 0], GROUPS) == 1.0


@given(pairs())
def test_any_rows_absent_groups_included(pair):
    predicted, labels = pair
    distance = np.abs(predicted - labels)
    assert ordinal.one_off_accuracy(predicted, labels, GROUPS) == pytest.approx(np.mean(distance <= 1))
    scores = [ordinal.cumulative_score(predicted, labels, GROUPS, k) for k in range(GROUPS)]
    assert scores == sorted(scores)
    assert scores[-1] == 1.0
    assert ordinal.mae_in_groups(predicted, labels, GROUPS) == pytest.approx(distance.mean())
    per_group = [distance[labels == g].mean() for g in np.unique(labels)]
    assert ordinal.macro_mae_in_groups(predicted, labels, GROUPS) == pytest.approx(np.mean(per_group))
    kappa = ordinal.quadratic_weighted_kappa(predicted, labels, GROUPS)
    assert np.isnan(kappa) == (len(np.unique(np.concatenate([predicted, labels]))) == 1)
    assert np.isnan(kappa) or kappa <= 1


@given(pairs())
def test_figures_do_not_depend_on_more_groups_behind(pair):
    predicted, labels = pair
    for figure in (ordinal.one_off_accuracy, ordinal.mae_in_groups, ordinal.macro_mae_in_groups):
        assert figure(predicted, labels, GROUPS) == pytest.approx(figure(predicted, labels, GROUPS + 5))


def test_counts_take_leading_axes(guesses):
    predicted, labels = guesses
    whole = ordinal.group_counts(predicted, labels, GROUPS)
    stacked = np.stack([whole, 3 * whole])
    np.testing.assert_allclose(ordinal.recalls(stacked)[1], ordinal.recalls(whole))


def test_kappa_is_undefined_for_one_class_not_perfect():
    assert np.isnan(ordinal.quadratic_weighted_kappa([3, 3], [3, 3], GROUPS))


@given(st.integers(0, 10_000))
def test_decoders_minimise_their_distance(seed):
    probabilities = softmax(3 * np.random.default_rng(seed).normal(size=(4, GROUPS)))
    index = np.arange(GROUPS)
    absolute = probabilities @ np.abs(index[:, None] - index)
    squared = probabilities @ (index[:, None] - index) ** 2
    rows = np.arange(4)
    np.testing.assert_allclose(absolute[rows, ordinal.decode(probabilities, "median")], absolute.min(1), atol=1e-9)
    np.testing.assert_allclose(squared[rows, ordinal.decode(probabilities, "mean")], squared.min(1), atol=1e-9)
    assert (ordinal.decode(probabilities, "argmax") == probabilities.argmax(1)).all()


def test_median_survives_rounding():
    assert ordinal.decode([[0.1, 0.2, 0.2, 0.5]], "median").tolist() == [2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ordinal.decode([[0.5, 0.5]], "mode"), "`decoder` must be one of argmax, median, mean, got 'mode'"),
        (lambda: ordinal.decode([[2.0, -1.0]]), "apply `softmax`"),
        (lambda: ordinal.one_off_accuracy([8], [0], 8), r"predictions must lie in \[0, 8\), got \[8, 8\]"),
        (lambda: ordinal.one_off_accuracy([], [], 8), "at least one row"),
        (lambda: ordinal.one_off_accuracy([1, 2], [1], 8), "expected"),
        (lambda: ordinal.one_off_accuracy([1.0], [1], 8), "must be integers"),
        (lambda: ordinal.cumulative_score([1], [1], 8, -1), "`k` must not be negative"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_metrics_need_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; import finegrained_crl.metrics.ordinal,"
        " finegrained_crl.statistics.claims"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_mean_is_of_the_distribution_even_where_rounding_left_a_sum_beside_one():
    assert ordinal.decode([[0.49, 0.496]], "mean").tolist() == [1]  # .496 / .986 is above one half
