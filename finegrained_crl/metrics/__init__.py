"""Metrics on numpy arrays; torch is not needed. `catalogue` holds every figure that the toolkit prints."""

from finegrained_crl.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    log_softmax,
    negative_log_likelihood,
    softmax,
)
from finegrained_crl.metrics.catalogue import FIGURES, Figure, Scores, all_figures, make_scores
from finegrained_crl.metrics.classification import confusion_matrix, mean_class_accuracy, top1_accuracy, top_k_accuracy
from finegrained_crl.metrics.decision import choose
from finegrained_crl.metrics.ordinal import (
    cumulative_score,
    decode,
    macro_mae_in_groups,
    mae_in_groups,
    one_off_accuracy,
    quadratic_weighted_kappa,
    recall_per_group,
)

__all__ = [
    "FIGURES",
    "Figure",
    "Scores",
    "all_figures",
    "brier_score",
    "choose",
    "confusion_matrix",
    "cumulative_score",
    "decode",
    "expected_calibration_error",
    "fit_temperature",
    "log_softmax",
    "macro_mae_in_groups",
    "mae_in_groups",
    "make_scores",
    "mean_class_accuracy",
    "negative_log_likelihood",
    "one_off_accuracy",
    "quadratic_weighted_kappa",
    "recall_per_group",
    "softmax",
    "top1_accuracy",
    "top_k_accuracy",
]
