"""Metrics on numpy arrays; torch is not needed."""

from finegrained_crl.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    log_softmax,
    negative_log_likelihood,
    softmax,
)
from finegrained_crl.metrics.classification import confusion_matrix, mean_class_accuracy, top1_accuracy, top_k_accuracy

__all__ = [
    "brier_score",
    "confusion_matrix",
    "expected_calibration_error",
    "fit_temperature",
    "log_softmax",
    "mean_class_accuracy",
    "negative_log_likelihood",
    "softmax",
    "top1_accuracy",
    "top_k_accuracy",
]
