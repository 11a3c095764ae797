"""Whether a probability means what it says: expected calibration error, NLL, Brier score, temperature scaling.

CRL sharpens probabilities by design (losses.md 1.5), so a comparison with cross-entropy reports these beside the
accuracy. The closed-form alternative to a fitted temperature is `finegrained_crl.losses.crl_link`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finegrained_crl.metrics.classification import check_scores

COLDEST, HOTTEST = 1e-2, 1e2


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, num_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, over bins of equal width.

    ECE = sum_b (n_b / n) |accuracy_b - confidence_b|, where bin b holds the rows whose highest probability lies in
    ((b - 1) / num_bins, b / num_bins].

    Args:
        probabilities: float, (batch, num_classes), each row summing to 1.
        labels: int, (batch,), class index in [0, num_classes).
        num_bins: number of bins; 15 is the habit of the literature, and the value depends on it.
    Returns:
        float in [0, 1]; 0 is calibrated.
    Raises:
        ValueError: rows are no distributions, `num_bins` is below 1, shapes disagree, or the batch is empty.
    Source: Guo, Pleiss, Sun, Weinberger, 2017, On calibration of modern neural networks, eq. 5 (top-label, L1).

    >>> expected_calibration_error([[0.8, 0.2], [0.8, 0.2]], [0, 1])
    0.30000000000000004
    """
    if num_bins < 1:
        raise ValueError(f"`num_bins` must be at least 1, got {num_bins}")
    return float(ece_of_terms(ece_terms(*_check_probabilities(probabilities, labels), num_bins).sum(0)))


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean of -log p_label, in nats.

    Args:
        probabilities: float, (batch, num_classes), each row summing to 1.
        labels: int, (batch,), class index in [0, num_classes).
    Returns:
        float in [0, inf]; inf where a label has probability 0. From logits, `-log_softmax(logits)` at the labels is
        safer.
    Raises:
        ValueError: rows are no distributions, shapes disagree, or the batch is empty.

    >>> round(negative_log_likelihood([[0.5, 0.5], [0.25, 0.75]], [0, 1]), 4)
    0.4904
    """
    table, truth = _check_probabilities(probabilities, labels)
    with np.errstate(divide="ignore"):
        return float(-np.log(table[np.arange(len(truth)), truth]).mean())


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared distance between the probabilities and the one-hot label, summed over classes.

    Args:
        probabilities: float, (batch, num_classes), each row summing to 1.
        labels: int, (batch,), class index in [0, num_classes).
    Returns:
        float in [0, 2]. Two classes give twice the one-column form that scikit-learn's `brier_score_loss` prints by
        default.
    Raises:
        ValueError: rows are no distributions, shapes disagree, or the batch is empty.
    Source: Brier, 1950, Verification of forecasts expressed in terms of probability, eq. 2.

    >>> round(brier_score([[0.75, 0.25]], [0]), 4)
    0.125
    """
    return float(brier_terms(*_check_probabilities(probabilities, labels)).mean())


def nll_terms(logits: ArrayLike, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log p_label of each picture, (batch,), in nats; from the logits, since a probability may underflow to 0."""
    return np.asarray(-log_softmax(logits)[np.arange(len(labels)), labels])


def brier_terms(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each picture's part of the Brier score, (batch,): |p|^2 - 2 p_label + 1."""
    of_label = probabilities[np.arange(len(labels)), labels]
    return np.asarray((probabilities**2).sum(axis=1) - 2 * of_label + 1)


def ece_terms(probabilities: NDArray[np.float64], labels: NDArray[np.int64], num_bins: int = 15) -> NDArray[np.float64]:
    """Confidence minus correctness of each picture in the column of its bin, and a column of ones: (batch, num_bins +
    1).
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    terms = np.zeros((len(labels), num_bins + 1))
    terms[np.arange(len(labels)), bins] = confidence - is_right
    terms[:, -1] = 1
    return terms


def ece_of_terms(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected calibration error of summed `ece_terms`, (.., num_bins + 1) -> (..)."""
    return np.asarray(np.abs(totals[..., :-1]).sum(axis=-1) / totals[..., -1])


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Find the T that minimises the mean NLL of softmax(logits / T).

    With s = 1/T the NLL is convex in s and its slope is mean(E_p[z] - z_label), so a bisection on the slope's sign
    finds the only minimum. Fit on a validation part, never on the images that are reported.

    Args:
        logits: float, (batch, num_classes), finite.
        labels: int, (batch,), class index in [0, num_classes).
    Returns:
        T in [0.01, 100]. The lower end means that every label already has the highest logit (nothing holds T up), the
        upper end that the logits tell less than the uniform distribution.
    Raises:
        ValueError: shapes disagree, a logit is not finite, or the batch is empty.
    Source: Guo, Pleiss, Sun, Weinberger, 2017, On calibration of modern neural networks, section 4.2.

    >>> round(fit_temperature([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]], [0, 0, 0, 1]), 3)
    1.82
    """
    table, truth = check_scores(logits, labels)
    if not np.isfinite(table).all():
        raise ValueError(
            "expected finite logits, got inf or NaN; leave masked classes and broken rows out before fitting"
        )
    table = table - table.max(axis=1, keepdims=True)
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(60):  # halves log(s) to below the rounding of float64
        middle = (low + high) / 2
        low, high = (low, middle) if _slope(table, truth, float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def log_softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Logarithm of the softmax over the last axis, stable for large logits.

    Args:
        logits: float, (..., num_classes).
    Returns:
        float64, the same shape, each row's exponentials summing to 1.

    >>> log_softmax([[1000.0, 1000.0]]).round(4).tolist()
    [[-0.6931, -0.6931]]
    """
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Probabilities of the logits over the last axis.

    Args:
        logits: float, (..., num_classes).
    Returns:
        float64, the same shape, each row summing to 1.

    >>> softmax([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    return np.asarray(np.exp(log_softmax(logits)))


def _slope(logits: NDArray[np.float64], labels: NDArray[np.int64], inverse_temperature: float) -> float:
    expected = (softmax(logits * inverse_temperature) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(labels)), labels]).mean())


def _check_probabilities(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    table, truth = check_scores(probabilities, labels)
    sums = table.sum(axis=1)
    # Half-precision softmax rows sum to 1 within about 1e-2.
    if not ((table >= 0).all() and np.allclose(sums, 1, atol=2e-2)):
        raise ValueError(
            f"expected rows of probabilities that sum to 1, got sums in [{sums.min():.4g}, {sums.max():.4g}] and a"
            f" minimum of {table.min():.4g}; apply `softmax` to logits first"
        )
    return table, truth
