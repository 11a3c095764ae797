import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss

from finegrained_crl.metrics import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)

RANDOM = np.random.default_rng(0)
LOGITS, LABELS = RANDOM.normal(size=(500, 4)) * 2, RANDOM.integers(0, 4, 500)
LABELS[:250] = LOGITS[:250].argmax(1)
PROBABILITIES = softmax(LOGITS)


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_ece_equals_torchmetrics(num_bins):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    oracle = functional.multiclass_calibration_error(
        torch.tensor(PROBABILITIES), torch.tensor(LABELS), num_classes=4, n_bins=num_bins, norm="l1"
    )
    assert expected_calibration_error(PROBABILITIES, LABELS, num_bins) == pytest.approx(oracle.item(), abs=1e-6)


def test_ece_puts_an_edge_into_the_lower_bin():
    assert expected_calibration_error([[0.5, 0.5], [0.6, 0.4]], [0, 1], num_bins=2) == pytest.approx(0.55)
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0.0


def test_nll_and_brier_equal_scikit_learn():
    assert negative_log_likelihood(PROBABILITIES, LABELS) == pytest.approx(log_loss(LABELS, PROBABILITIES))
    two, binary = softmax(LOGITS[:, :2]), LABELS % 2
    assert brier_score(two, binary) == pytest.approx(2 * brier_score_loss(binary, two[:, 1]))
    assert brier_score(np.eye(4)[LABELS], LABELS) == 0.0
    assert negative_log_likelihood([[1.0, 0.0]], [1]) == np.inf


def test_temperature_equals_a_general_optimiser():
    oracle = minimize_scalar(
        lambda t: negative_log_likelihood(softmax(LOGITS / t), LABELS), bounds=(0.05, 20), method="bounded"
    )
    assert fit_temperature(LOGITS, LABELS) == pytest.approx(oracle.x, rel=1e-4)


def test_temperature_recovers_the_one_that_was_applied():
    clean = RANDOM.normal(size=(20000, 3)) * 2
    labels = (softmax(clean).cumsum(1) > RANDOM.random((20000, 1))).argmax(1)
    assert fit_temperature(clean * 3, labels) == pytest.approx(3, rel=0.05)


def test_temperature_stays_in_its_range():
    assert fit_temperature([[1.0, 0.0]], [0]) == pytest.approx(0.01)
    assert fit_temperature([[1.0, 0.0]], [1]) == pytest.approx(100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expected_calibration_error(LOGITS, LABELS), "apply `softmax` to logits first"),
        (lambda: expected_calibration_error(PROBABILITIES, LABELS, 0), "`num_bins` must be at least 1, got 0"),
        (lambda: fit_temperature([[np.inf, 0.0]], [0]), "expected finite logits"),
        (lambda: brier_score(PROBABILITIES, LABELS[:2]), r"got \(500, 4\) and \(2,\)"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_metrics_and_reports_do_not_load_torch():
    code = "import finegrained_crl.metrics, finegrained_crl.reports, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_negative_share_is_no_probability():
    with pytest.raises(ValueError, match="rows of probabilities"):
        brier_score([[1.1, -0.1]], [0])
