"""Soft targets for ordered classes: a label's neighbours get a share that falls with the distance.

Each function gives a table whose row y is the target distribution of label y, so that a batch of labels is one look-up
and a mixture of labels (mixup) is one product.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_above, require_at_least, require_classes, require_weight
from finegrained_crl.losses.reduction import reduce_rows

Distance = Literal["absolute", "squared"]


def sord_targets(num_classes: int, scale: float = 1.0, distance: Distance = "absolute") -> Tensor:
    """Make the SORD targets, q_k = softmax_k(-scale * phi(k, y)).

    Args:
        num_classes: number of ordered classes, at least 2.
        scale: >= 0; sharpness. 0 is uniform, a large scale is one-hot.
        distance: phi; "absolute" |k - y| or "squared" (k - y)^2, in classes.
    Returns:
        float32, (num_classes, num_classes); row y sums to 1 and is highest at y.
    Raises:
        ValueError: fewer than 2 classes, a negative scale, or an unknown distance.
    Source: Díaz, Marathe, 2019, Soft labels for ordinal regression, eq. 1.

    >>> sord_targets(3)[0].round(decimals=3).tolist()
    [0.6650000214576721, 0.24500000476837158, 0.09000000357627869]
    """
    require_classes(num_classes)
    require_at_least("scale", scale, 0)
    if distance not in ("absolute", "squared"):
        raise ValueError(f"distance must be one of absolute, squared, got '{distance}'")
    steps = _steps(num_classes)
    return torch.softmax(-scale * (steps if distance == "absolute" else steps.square()), dim=1).float()


def dldl_targets(num_classes: int, sigma: float = 0.75) -> Tensor:
    """Make the DLDL targets, q_k proportional to exp(-(k - y)^2 / (2 sigma^2)).

    Args:
        num_classes: number of ordered classes, at least 2.
        sigma: > 0, in classes. 0.75 leaves 0.53 at a middle label; for ages in years the literature takes 2.
    Returns:
        float32, (num_classes, num_classes); row y sums to 1 and is highest at y.
    Raises:
        ValueError: fewer than 2 classes, or sigma is not positive.
    Source: Gao, Xing, Xie, Wu, Geng, 2017, Deep label distribution learning with label ambiguity.

    >>> dldl_targets(3, sigma=1.0)[1].round(decimals=3).tolist()
    [0.27399998903274536, 0.4519999921321869, 0.27399998903274536]
    """
    require_classes(num_classes)
    require_above("sigma", sigma, 0)
    return torch.softmax(-_steps(num_classes).square() / (2 * sigma**2), dim=1).float()


def expected_losses(
    losses: Tensor,
    target: Tensor,
    table: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Reduce a table of losses, L(z, k), under the soft targets: sum_k table[y, k] L(z, k).

    Args:
        losses: float, (batch, num_classes).
        target: int64, (batch,), labels; or float, (batch, num_classes), a mixture of labels.
        table: float, (num_classes, num_classes), row y is label y's distribution.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum". As in `F.cross_entropy`, the mean divides by the kept labels' weight, and by
            the batch size for mixtures.
    Returns:
        float, scalar, or (batch,) for "none".
    Raises:
        ValueError: shapes disagree, or `weight` is not one factor per class.
    """
    num_classes = len(table)
    if losses.dim() != 2 or losses.shape[1] != num_classes:
        raise ValueError(
            f"expected logits (batch, {num_classes}) for {num_classes} ordered classes, got {tuple(losses.shape)}"
        )
    require_weight(weight, num_classes)
    table = table.to(losses)
    if target.shape == losses.shape:
        mixture = target.to(losses.dtype)
        rows = (mixture @ table * losses).sum(1)
        if weight is not None:
            rows = rows * (mixture @ weight.to(losses.dtype))
        if reduction == "none":
            return rows
        return rows.sum() if reduction == "sum" else rows.mean()
    rows = (table[target.where(target != ignore_index, 0)] * losses).sum(1)
    return reduce_rows(rows, target, weight, ignore_index, reduction)


def _steps(num_classes: int) -> Tensor:
    """Distance between labels, |k - y|, (num_classes, num_classes)."""
    classes = torch.arange(num_classes, dtype=torch.float64)
    return (classes - classes.unsqueeze(1)).abs()
