"""iSQRT-COV: the matrix square root of the features' covariance, by Newton-Schulz iterations that need nothing but
products.

An eigenvalue of the covariance says how strongly a direction in feature space varies; its square root keeps one strong
direction from drowning the others, as the signed square root does for single entries, but in the matrix's own geometry.
"""

from __future__ import annotations

import torch
from torch import Tensor


def covariance(maps: Tensor) -> Tensor:
    """Covariance of the features over the positions: (batch, channels, height, width) -> float32 (batch, channels,
    channels).
    """
    with torch.autocast(maps.device.type, enabled=False):
        x = maps.flatten(2).float()
        x = x - x.mean(2, keepdim=True)
        return x @ x.transpose(1, 2) / x.shape[2]


def matrix_sqrt(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Approximate square root of symmetric positive semi-definite matrices.

    Divided by its trace the matrix has a spectrum in [0, 1], where the coupled iteration Y <- Y (3I - ZY) / 2, Z <- (3I
    - ZY) Z / 2 converges to the root and its inverse; the result is multiplied by the root of the trace.

    Args:
        matrix: float32, (batch, n, n).
        iterations: of the coupled pair; the paper takes 5.
    Returns:
        float32, (batch, n, n).
    Source: Li et al., 2018, Towards Faster Training of Global Covariance Pooling Networks by Iterative Matrix Square
        Root Normalization, equations 4 to 7.
    """
    with torch.autocast(matrix.device.type, enabled=False):
        trace = matrix.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-12)[:, None, None]
        identity = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
        y, z = matrix / trace, identity
        for _ in range(iterations):
            step = (3 * identity - z @ y) / 2
            y, z = y @ step, step @ z
        return y * trace.sqrt()


def upper_triangle(matrix: Tensor) -> Tensor:
    """The entries on and above the diagonal of symmetric matrices: (batch, n, n) -> (batch, n (n + 1) / 2)."""
    rows, columns = torch.triu_indices(*matrix.shape[1:], device=matrix.device)
    return matrix[:, rows, columns]
