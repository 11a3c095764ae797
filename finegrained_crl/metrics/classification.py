"""How often the classifier is right: top-1, top-k, the mean over classes, and who is taken for whom.

All functions take numpy arrays (or what `numpy.asarray` accepts). `logits` may be any score that grows with the class's
probability, since only the order within a row counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def top1_accuracy(logits: ArrayLike, labels: ArrayLike) -> float:
    """Share of rows whose highest score belongs to the label.

    Args:
        logits: float, (batch, num_classes). A tie goes to the lower class index, as `numpy.argmax` decides.
        labels: int, (batch,), class index in [0, num_classes).
    Returns:
        float in [0, 1].
    Raises:
        ValueError: shapes disagree, the batch is empty, or a label lies outside the classes.

    >>> top1_accuracy([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]], [0, 1, 1])
    0.6666666666666666
    """
    scores, truth = check_scores(logits, labels)
    return float(np.mean(scores.argmax(axis=1) == truth))


def top_k_accuracy(logits: ArrayLike, labels: ArrayLike, k: int = 5) -> float:
    """Share of rows whose label is among the k highest scores.

    Args:
        logits: float, (batch, num_classes). Ties with the label's score count against it in class order.
        labels: int, (batch,), class index in [0, num_classes).
        k: how many guesses each row has, at least 1; with k >= num_classes the answer is 1.
    Returns:
        float in [0, 1].
    Raises:
        ValueError: k is below 1, or as for `top1_accuracy`.

    >>> top_k_accuracy([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], k=2)
    0.5
    """
    if k < 1:
        raise ValueError(f"`k` must be at least 1, got {k}")
    scores, truth = check_scores(logits, labels)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.mean((best == truth[:, None]).any(axis=1)))


def mean_class_accuracy(logits: ArrayLike, labels: ArrayLike, num_classes: int) -> float:
    """Recall of each class, averaged over the classes that occur among the labels.

    Every class counts the same, however many images it has; a class without images has no recall and is left out.

    Args:
        logits: float, (batch, num_classes).
        labels: int, (batch,), class index in [0, num_classes).
        num_classes: number of classes, the width of `logits`.
    Returns:
        float in [0, 1].
    Raises:
        ValueError: as for `top1_accuracy`.

    >>> mean_class_accuracy([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]], [0, 0, 1, 1], num_classes=3)
    0.75
    """
    counts = confusion_matrix(logits, labels, num_classes)
    per_class = counts.sum(axis=1)
    present = per_class > 0
    return float(np.mean(counts.diagonal()[present] / per_class[present]))


def confusion_matrix(logits: ArrayLike, labels: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """Count how often class i (row) was taken for class j (column).

    Args:
        logits: float, (batch, num_classes).
        labels: int, (batch,), class index in [0, num_classes).
        num_classes: number of classes, the width of `logits`.
    Returns:
        int64, (num_classes, num_classes), summing to the batch size.
    Raises:
        ValueError: as for `top1_accuracy`, or `num_classes` is not the width of `logits`.

    >>> confusion_matrix([[1, 0], [1, 0], [0, 1]], [0, 1, 1], num_classes=2).tolist()
    [[1, 0], [1, 1]]
    """
    scores, truth = check_scores(logits, labels)
    if scores.shape[1] != num_classes:
        raise ValueError(
            f"`num_classes` is {num_classes} but `logits` has {scores.shape[1]} columns; give the same number"
        )
    cells = np.bincount(truth * num_classes + scores.argmax(axis=1), minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def check_scores(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Turn scores and labels into arrays that fit each other.

    Args:
        scores: float, (batch, num_classes), logits or probabilities.
        labels: int, (batch,), class index in [0, num_classes).
    Returns:
        the scores as float64 and the labels as int64.
    Raises:
        ValueError: shapes disagree, the batch is empty, labels are no integers, or one lies outside the classes.
    """
    table, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if table.ndim != 2 or truth.shape != table.shape[:1]:
        raise ValueError(
            f"expected (batch, num_classes) scores and (batch,) labels, got {table.shape} and {truth.shape}"
        )
    if table.size == 0:
        raise ValueError("expected at least one row and one class, got an empty batch; evaluate on some images first")
    if not np.issubdtype(truth.dtype, np.integer):
        raise ValueError(f"labels must be integers (class indices), got {truth.dtype}")
    if truth.min() < 0 or truth.max() >= table.shape[1]:
        raise ValueError(
            f"labels must lie in [0, {table.shape[1]}), got [{truth.min()}, {truth.max()}]; leave unlabelled rows out"
        )
    return table, truth.astype(np.int64)
