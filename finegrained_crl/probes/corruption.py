"""Training labels made worse on purpose: how losses bear noise and imbalance. Held-out labels are never touched."""

from __future__ import annotations

import numpy as np


def corrupted(labels: np.ndarray, rows: np.ndarray, num_classes: int, share: float, seed: int) -> np.ndarray:
    """Labels with a share of the training rows given another class, evenly drawn (symmetric noise).

    Args:
        labels: int64, (n,), of all rows.
        rows: the training part.
        num_classes: classes to draw from.
        share: of the training rows, rounded.
        seed: same seed, same noise.
    Returns:
        int64, (n,).
    """
    noisy = labels.copy()
    random = np.random.default_rng((seed, 1))
    chosen = random.permutation(rows)[: round(share * len(rows))]
    # An offset from 1 to classes - 1 never gives the label back.
    noisy[chosen] = (labels[chosen] + random.integers(1, num_classes, len(chosen))) % num_classes
    return noisy


def thinned(rows: np.ndarray, labels: np.ndarray, ratio: float, seed: int) -> np.ndarray:
    """Training rows of which class k keeps the share ratio^(-k / (classes - 1)), at least one picture (a long tail).

    Args:
        rows: the training part.
        labels: int64, of all rows.
        ratio: of the first class's share to the last one's; 1 keeps all.
        seed: same seed, same rows.
    Source: Cui et al., 2019, Class-balanced loss based on effective number of samples.
    """
    if ratio == 1:
        return rows
    random, of = np.random.default_rng((seed, 2)), labels[rows]
    classes = int(labels.max()) + 1
    kept = []
    for label in range(classes):
        members = rows[of == label]
        count = max(1, round(len(members) * ratio ** (-label / max(1, classes - 1)))) if len(members) else 0
        kept.append(random.permutation(members)[:count])
    return np.sort(np.concatenate(kept))
