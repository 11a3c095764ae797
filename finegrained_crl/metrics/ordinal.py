"""Ordered classes (age groups): exact and one-off accuracy, distance in groups, weighted kappa, and the decoders behind
them.

All figures are over the *fixed* groups of the data set: a group that a fold lacks keeps its place, so that "one off"
means the neighbour in age and not the next group that occurs. What each picture adds to a figure (`distance`,
`moments`) stands apart from the figure, so that a bootstrap can draw people; see `metrics/catalogue.py`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finegrained_crl.metrics.classification import check_scores
from finegrained_crl.metrics.totals import by_class, mean_over_classes, summed

Decoder = Literal["argmax", "median", "mean"]


def decode(probabilities: ArrayLike, decoder: Decoder = "argmax") -> NDArray[np.int64]:
    """Choose a group from each row of probabilities.

    "argmax" is the most probable group (best for exact accuracy), "median" the first group whose cumulative probability
    reaches one half (best for the mean distance), "mean" the expected group index, halves rounded up (best for the
    squared distance).

    Args:
        probabilities: float, (batch, num_groups), not negative, each row summing to 1.
        decoder: "argmax", "median" or "mean".
    Returns:
        int64, (batch,), group index in [0, num_groups).
    Raises:
        ValueError: an unknown decoder, rows that are no distributions, or an empty batch.

    >>> [int(decode([[0.4, 0.0, 0.3, 0.3]], d)[0]) for d in ("argmax", "median", "mean")]
    [0, 2, 2]
    """
    table = np.asarray(probabilities, dtype=np.float64)
    if decoder not in get_args(Decoder):
        raise ValueError(f"`decoder` must be one of {', '.join(get_args(Decoder))}, got '{decoder}'")
    check_scores(table, np.zeros(len(table), dtype=np.int64))
    if not ((table >= 0).all() and np.allclose(table.sum(axis=1), 1, atol=2e-2)):
        raise ValueError("expected rows of probabilities that sum to 1; apply `softmax` to logits first")
    if decoder == "argmax":
        return np.asarray(table.argmax(axis=1), dtype=np.int64)
    if decoder == "median":
        cumulative = table.cumsum(axis=1)
        # A sum such as .2 + .3 may miss one half by a rounding error.
        return np.asarray((cumulative >= cumulative[:, -1:] / 2 - 1e-12).argmax(axis=1), dtype=np.int64)
    return np.asarray(np.floor(table @ np.arange(table.shape[1]) / table.sum(axis=1) + 0.5), dtype=np.int64)


def group_counts(predicted: ArrayLike, labels: ArrayLike, num_groups: int) -> NDArray[np.int64]:
    """Count how often group i (row) was taken for group j (column).

    Args:
        predicted: int, (batch,), group index in [0, num_groups).
        labels: int, (batch,), group index in [0, num_groups).
        num_groups: number of groups of the data set, those without an image included.
    Returns:
        int64, (num_groups, num_groups).
    Raises:
        ValueError: shapes disagree, the batch is empty, or an index lies outside the groups.

    >>> group_counts([0, 2], [0, 1], 3).tolist()
    [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    """
    guess, truth = _check_groups(predicted, labels, num_groups)
    return np.bincount(truth * num_groups + guess, minlength=num_groups**2).reshape(num_groups, num_groups)


def one_off_accuracy(predicted: ArrayLike, labels: ArrayLike, num_groups: int) -> float:
    """Share of rows whose predicted group is the label's or next to it: |predicted - label| <= 1.

    Args: see `group_counts`.
    Returns:
        float in [0, 1].
    Source: Eidinger, Enbar, Hassner, 2014, Age and gender estimation of unfiltered faces, section V.

    >>> one_off_accuracy([0, 2, 7], [1, 2, 2], num_groups=8)
    0.6666666666666666
    """
    return cumulative_score(predicted, labels, num_groups, k=1)


def cumulative_score(predicted: ArrayLike, labels: ArrayLike, num_groups: int, k: int) -> float:
    """Share of rows that are at most k groups off (CS@k); k = 0 is exact accuracy, k = 1 one-off.

    Args: see `group_counts`; k: largest distance, in groups, at least 0.
    Returns:
        float in [0, 1].

    >>> [cumulative_score([0, 2, 7], [1, 2, 2], 8, k) for k in (0, 5)]
    [0.3333333333333333, 1.0]
    """
    if k < 0:
        raise ValueError(f"`k` must not be negative, got {k}")
    return float(np.mean(distance(*_check_groups(predicted, labels, num_groups)) <= k))


def mae_in_groups(predicted: ArrayLike, labels: ArrayLike, num_groups: int) -> float:
    """Mean of |predicted - label|, in groups (not in years: Adience's groups differ in width and leave gaps).

    >>> mae_in_groups([0, 2, 7], [1, 2, 2], 8)
    2.0
    """
    return float(np.mean(distance(*_check_groups(predicted, labels, num_groups))))


def macro_mae_in_groups(predicted: ArrayLike, labels: ArrayLike, num_groups: int) -> float:
    """Mean distance of each group, averaged over the groups that occur among the labels, so that rare groups count the
    same.

    Source: Baccianella, Esuli, Sebastiani, 2009, Evaluation measures for ordinal regression (MAE^M, also AMAE).

    >>> macro_mae_in_groups([0, 2, 7], [1, 2, 2], 8)
    1.75
    """
    guess, truth = _check_groups(predicted, labels, num_groups)
    return float(mean_over_classes(summed(by_class(distance(guess, truth), truth, num_groups)))[0])


def quadratic_weighted_kappa(predicted: ArrayLike, labels: ArrayLike, num_groups: int) -> float:
    """Agreement beyond chance: 1 - sum W O / sum W E with W_ij = (i - j)^2, O the counts, E the product of their
    margins / n.

    Returns:
        float, at most 1; NaN where labels and predictions are all of one group, which leaves 0 / 0.
    Source: Cohen, 1968, Weighted kappa.

    >>> round(quadratic_weighted_kappa([0, 1, 2, 2], [0, 1, 1, 2], 8), 4)
    0.8
    """
    return float(kappa_of_moments(summed(moments(*_check_groups(predicted, labels, num_groups))))[0])


def recall_per_group(predicted: ArrayLike, labels: ArrayLike, num_groups: int) -> NDArray[np.float64]:
    """Exact accuracy within each group, (num_groups,); NaN for a group without an image.

    >>> recall_per_group([0, 2, 7], [1, 2, 2], 4 + 4).tolist()[:3]
    [nan, 0.0, 0.5]
    """
    return recalls(group_counts(predicted, labels, num_groups))


def distance(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Groups between the predicted group and the label's, (batch,)."""
    return np.asarray(np.abs(predicted - labels), dtype=np.float64)


def moments(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """What weighted kappa needs of each picture, (batch, 6): squared distance, label, label^2, prediction,
    prediction^2, one.

    With quadratic weights the sums over pairs of margins open up, sum_ij (i - j)^2 r_i c_j = n sum r_i i^2 + n sum c_j
    j^2
    - 2 (sum r_i i)(sum c_j j), so that no table of groups x groups is needed.
    """
    y, p = labels.astype(np.float64), predicted.astype(np.float64)
    return np.stack([(y - p) ** 2, y, y**2, p, p**2, np.ones_like(y)], axis=1)


def kappa_of_moments(totals: ArrayLike) -> NDArray[np.float64]:
    """Quadratic weighted kappa of summed `moments`, (.., 6) -> (..); NaN where it is undefined."""
    observed, y, yy, p, pp, n = np.moveaxis(np.asarray(totals, dtype=np.float64), -1, 0)
    by_chance = n * yy + n * pp - 2 * y * p
    return np.asarray(1 - np.divide(observed * n, by_chance, out=np.full(by_chance.shape, np.nan), where=by_chance > 0))


def recalls(counts: ArrayLike) -> NDArray[np.float64]:
    """Recall of each group, (.., num_groups, num_groups) -> (.., num_groups); NaN without an image."""
    table = np.asarray(counts, dtype=np.float64)
    hits, images = np.diagonal(table, axis1=-2, axis2=-1), table.sum(-1)
    return np.asarray(np.divide(hits, images, out=np.full(hits.shape, np.nan), where=images > 0))


def _check_groups(
    predicted: ArrayLike, labels: ArrayLike, num_groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    guess, truth = np.asarray(predicted), np.asarray(labels)
    if guess.ndim != 1 or guess.shape != truth.shape:
        raise ValueError(f"expected (batch,) predictions and labels, got {guess.shape} and {truth.shape}")
    if guess.size == 0:
        raise ValueError("expected at least one row, got an empty batch; evaluate on some images first")
    for name, values in (("predictions", guess), ("labels", truth)):
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name} must be integers (group indices), got {values.dtype}")
        if values.min() < 0 or values.max() >= num_groups:
            raise ValueError(f"{name} must lie in [0, {num_groups}), got [{values.min()}, {values.max()}]")
    return guess.astype(np.int64), truth.astype(np.int64)
