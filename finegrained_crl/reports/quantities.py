"""The figures of a report, each as totals that add up over pictures and a function of the totals.

In this form a mean, a kappa and a calibration error have one bootstrap: draw subjects, add their totals, apply the function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finegrained_crl.metrics import ordinal
from finegrained_crl.metrics.calibration import log_softmax, softmax
from finegrained_crl.metrics.intervals import Statistic, ratio

BINS = 15

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What a classifier said of some pictures.

    Attributes:
        logits: float, (n, num_classes).
        labels: int, (n,).
        predicted: int, (n,), by the decoder in use.
        calibrated: float, (n, num_classes), logits over the temperature fitted on validation; None where there was no validation.
    """

    logits: Array
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    calibrated: Array | None


@dataclass(frozen=True)
class Quantity:
    """One column of a report.

    Attributes:
        name: its name in CSV files.
        title: its name for people.
        percent: whether it is a share.
        ordered: whether it needs classes that have an order.
        totals: per picture, (n, m); None where it can't be had.
        statistic: figure from summed totals.
    """

    name: str
    title: str
    percent: bool
    ordered: bool
    totals: Callable[[Scores], Array | None]
    statistic: Statistic

    def value(self, scores: Scores) -> float:
        """The figure of some pictures, NaN where it can't be had."""
        totals = self.totals(scores)
        return float("nan") if totals is None else float(self.statistic(totals.sum(0, keepdims=True))[0])

    def show(self, value: float, *, signed: bool = False) -> str:
        """The figure as people read it; "-" where there is none.

        Args:
            value: in the quantity's own unit.
            signed: with a plus sign, for differences.
        """
        if np.isnan(value):
            return "-"
        return f"{100 * value:{'+' if signed else ''}.2f}" if self.percent else f"{value:{'+' if signed else ''}.3f}"


def _counts(scores: Scores) -> Array:
    """Each picture's place in the confusion matrix, (n, num_classes ** 2)."""
    classes = scores.logits.shape[1]
    table = np.zeros((len(scores.labels), classes**2))
    table[np.arange(len(table)), scores.labels * classes + scores.predicted] = 1
    return table


def _of_counts(figure: Callable[[Array], Array]) -> Statistic:
    def statistic(totals: Array) -> Array:
        classes = round(totals.shape[-1] ** 0.5)
        return figure(totals.reshape(*totals.shape[:-1], classes, classes))

    return statistic


def _with_count(values: Array) -> Array:
    return np.stack([values, np.ones_like(values)], axis=1)


def _correct(scores: Scores) -> Array:
    return _with_count((scores.predicted == scores.labels).astype(np.float64))


def _nll(scores: Scores) -> Array:
    return _with_count(-log_softmax(scores.logits)[np.arange(len(scores.labels)), scores.labels])


def _brier(scores: Scores) -> Array:
    probabilities = softmax(scores.logits)
    return _with_count(((probabilities - np.eye(probabilities.shape[1])[scores.labels]) ** 2).sum(1))


def _surplus(logits: Array | None, labels: NDArray[np.int64]) -> Array | None:
    """Confidence minus correctness of each picture in the column of its bin, (n, BINS), and a column of ones."""
    if logits is None:
        return None
    probabilities = softmax(logits)
    confidence = probabilities.max(1)
    table = np.zeros((len(labels), BINS + 1))
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    table[np.arange(len(table)), bins] = confidence - (probabilities.argmax(1) == labels)
    table[:, -1] = 1
    return table


def _ece(totals: Array) -> Array:
    return np.asarray(np.abs(totals[..., :-1]).sum(-1) / totals[..., -1])


QUANTITIES = (
    Quantity("exact", "exact %", True, False, _correct, ratio),
    Quantity("one_off", "one-off %", True, True, _counts, _of_counts(lambda counts: ordinal.share_within(counts, 1))),
    Quantity("cs2", "CS@2 %", True, True, _counts, _of_counts(lambda counts: ordinal.share_within(counts, 2))),
    Quantity("mae", "MAE (groups)", False, True, _counts, _of_counts(ordinal.mean_distance)),
    Quantity("macro_mae", "macro MAE", False, True, _counts, _of_counts(ordinal.macro_mean_distance)),
    Quantity("qwk", "QWK", False, True, _counts, _of_counts(ordinal.weighted_kappa)),
    Quantity("nll", "NLL", False, False, _nll, ratio),
    Quantity("brier", "Brier", False, False, _brier, ratio),
    Quantity("ece", "ECE %", True, False, lambda s: _surplus(s.logits, s.labels), _ece),
    Quantity("ece_calibrated", "ECE % after T", True, False, lambda s: _surplus(s.calibrated, s.labels), _ece),
)
"""Every column; those with `ordered` only for classes that have an order."""
