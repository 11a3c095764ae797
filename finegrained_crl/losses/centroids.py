"""Predefined, evenly distributed class centroids (PEDCC): unit vectors that are as far apart as possible.

C unit vectors whose pairwise cosines are all -1/(C - 1), the most distant arrangement there is, exist in D >= C - 1
dimensions: the corners of a regular simplex. They are the normalised rows of (I - 11^T/C) Q^T with a random orthonormal
Q, exact to rounding; the authors' code builds the same figure recursively. In fewer dimensions no such figure exists,
and the vectors are spread by mutual repulsion, force (u_i - u_j)/||u_i - u_j||^3, as in the authors' earlier code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_classes

STEPS, LONGEST_MOVE = 300, 0.2


def pedcc_centroids(num_classes: int, feature_dim: int, seed: int = 0) -> Tensor:
    """Make `num_classes` unit vectors, evenly distributed over the sphere in `feature_dim` dimensions.

    Args:
        num_classes: number of vectors, at least 2.
        feature_dim: their size, at least 2; from num_classes - 1 on the figure is exact.
        seed: of the random rotation (and of the repulsion's start); the global random state is not touched.
    Returns:
        float32, (num_classes, feature_dim), rows of norm 1.
    Raises:
        ValueError: fewer than 2 classes or dimensions.
    Source: Zhu, Zu, 2021, PEDCC and POD loss (arXiv 2111.15449) and the released code; the one-line simplex is ours.

    >>> u = pedcc_centroids(4, 16)
    >>> (u @ u.T).round(decimals=4)[0].tolist()
    [1.0, -0.33329999446868896, -0.33329999446868896, -0.33329999446868896]
    """
    require_classes(num_classes)
    if feature_dim < 2:
        raise ValueError(
            f"feature_dim must be >= 2, got {feature_dim}; one dimension holds two opposite centroids only"
        )
    generator = torch.Generator().manual_seed(seed)
    if feature_dim >= num_classes - 1:
        return _simplex(num_classes, feature_dim, generator).float()
    return _repelled(num_classes, feature_dim, generator).float()


def _simplex(num_classes: int, feature_dim: int, generator: torch.Generator) -> Tensor:
    ones = torch.ones(num_classes, 1, dtype=torch.float64)
    # The last C - 1 columns of this basis span the plane orthogonal to the ones: coordinates of the simplex in C - 1
    # dimensions.
    basis = torch.linalg.qr(torch.cat([ones, torch.eye(num_classes, num_classes - 1, dtype=torch.float64)], dim=1)).Q[
        :, 1:
    ]
    rotation = torch.linalg.qr(torch.randn(feature_dim, num_classes - 1, dtype=torch.float64, generator=generator)).Q
    return F.normalize(basis @ rotation.T, dim=1)


def _repelled(num_classes: int, feature_dim: int, generator: torch.Generator) -> Tensor:
    points = F.normalize(torch.randn(num_classes, feature_dim, dtype=torch.float64, generator=generator), dim=1)
    for step in range(STEPS):
        distance = (2 - 2 * points @ points.T).clamp_min(1e-6).sqrt().fill_diagonal_(torch.inf)
        # sum_j (u_i - u_j)/d^3 without its part along u_i, which the sphere takes up anyway, is -sum_j u_j/d^3 made
        # tangential.
        push = -(distance**-3) @ points / num_classes
        tangential = push - (push * points).sum(1, keepdim=True) * points
        longest = LONGEST_MOVE * (
            1 - step / STEPS
        )  # close pairs repel without bound; shrinking moves let the figure settle
        points = F.normalize(points + tangential * (longest / tangential.norm(dim=1, keepdim=True)).clamp_max(1), dim=1)
    return points
