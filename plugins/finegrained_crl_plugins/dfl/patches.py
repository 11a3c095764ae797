"""The initialisation of the filter bank: patches of each class's training pictures, clustered; the centres become its
filters.

Source: Wang, Morariu, Davis, Learning a Discriminative Filter Bank within a CNN for Fine-Grained Recognition, CVPR
2018, section 3.3: high-energy positions are picked by non-maximum suppression, k-means per class gives the centres,
these are whitened (as Hariharan, Malik and Ramanan do, ECCV 2012) and brought to length 1. Missing in every public
PyTorch version.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def energetic_patches(maps: Tensor, most: int, radius: int = 1) -> list[Tensor]:
    """The vectors of the highest energy (L2 norm), no two of them neighbours.

    A position survives if nothing within `radius` of it has more energy; of equals, the first in reading order.

    Args:
        maps: float, (batch, channels, height, width).
        most: patches per picture.
        radius: suppression reaches so far, in positions of the map.
    Returns:
        per picture, float (patches, channels), highest energy first; at least one patch.
    """
    energy = maps.norm(dim=1)
    places = energy[0].numel()
    # Ties (a flat background) must not survive as a whole field: the reading order breaks them.
    rank = energy.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view_as(energy)
    score = (places - rank).float()
    best = F.max_pool2d(score.unsqueeze(1), 2 * radius + 1, stride=1, padding=radius).squeeze(1)
    peaks = torch.where(score == best, score, torch.zeros_like(score)).flatten(1)
    order = peaks.topk(min(most, places), dim=1)
    vectors = maps.flatten(2).mT  # (batch, places, channels)
    return [
        vectors[i, index[value > 0]] for i, (value, index) in enumerate(zip(order.values, order.indices, strict=True))
    ]


@dataclass
class PatchPool:
    """Patches of every class and the statistics of all, gathered in bounded memory.

    Each class keeps a uniform sample of its patches (a reservoir); mean and covariance for the whitening are exact sums
    over all.

    Attributes:
        num_classes: classes.
        per_class: patches kept of each.
        seed: of the sample.
    """

    num_classes: int
    per_class: int
    seed: int = 0
    kept: list[list[np.ndarray]] = field(default_factory=list)
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    total: np.ndarray | None = None
    outer: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.kept = [[] for _ in range(self.num_classes)]
        self.seen = np.zeros(self.num_classes, dtype=np.int64)
        self.random = np.random.default_rng(self.seed)

    def add(self, label: int, patches: np.ndarray) -> None:
        """Take patches, float64 (patches, channels), of one picture."""
        if self.total is None or self.outer is None:
            self.total, self.outer = np.zeros(patches.shape[1]), np.zeros((patches.shape[1], patches.shape[1]))
        self.total += patches.sum(0)
        self.outer += patches.T @ patches
        for patch in patches:
            self.seen[label] += 1
            if len(self.kept[label]) < self.per_class:
                self.kept[label].append(patch.astype(np.float32))
            elif (place := int(self.random.integers(self.seen[label]))) < self.per_class:
                self.kept[label][place] = patch.astype(np.float32)

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (channels,) and covariance (channels, channels) of all patches."""
        count = int(self.seen.sum())
        if self.total is None or self.outer is None:
            raise ValueError("no patches were added")
        mean = self.total / count
        return mean, self.outer / count - np.outer(mean, mean)

    def size(self) -> float:
        """Root of the mean square of all patches' entries."""
        mean, covariance = self.statistics()
        return float(np.sqrt((np.trace(covariance) + mean @ mean) / len(mean)))


def cluster(patches: np.ndarray, filters: int, seed: int = 0) -> np.ndarray:
    """Centres of k-means on a class's patches, largest cluster first.

    With fewer distinct patches than filters, every patch is a centre, and they are repeated.

    Args:
        patches: float64, (patches, channels), at least one.
        filters: centres wanted.
        seed: of k-means++.
    Returns:
        float64, (filters, channels).
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    distinct = np.unique(patches, axis=0)
    if len(distinct) <= filters:
        return np.resize(distinct, (filters, patches.shape[1]))
    with threadpool_limits(1):  # threads would add in an order of their own
        clusters = KMeans(filters, n_init=4, random_state=seed).fit(patches)
    order = np.argsort(-np.bincount(clusters.labels_, minlength=filters), kind="stable")
    return np.asarray(clusters.cluster_centers_[order])


def whitened_filters(
    centres: np.ndarray, mean: np.ndarray, covariance: np.ndarray, *, ridge: float = 0.01
) -> np.ndarray:
    """Filters that respond to their centre and not to what all patches share: covariance^-1 (centre - mean), at length
    1.

    Args:
        centres: float64, (filters, channels).
        mean: float64, (channels,), of all patches.
        covariance: float64, (channels, channels), of all patches.
        ridge: added to the covariance's diagonal, as a share of its mean; with fewer patches than channels it has no
            inverse.
    Returns:
        float64, (filters, channels), rows of length 1.
    """
    scale = np.trace(covariance) / len(covariance)
    regular = covariance + (ridge * scale + 1e-12) * np.eye(len(covariance))
    weight = np.linalg.solve(regular, (centres - mean).T).T
    return np.asarray(weight / (np.linalg.norm(weight, axis=1, keepdims=True) + 1e-12))
