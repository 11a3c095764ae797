"""Squared earth mover's distance (ranked probability score) for ordered classes.

    L(z, y)  = sum_k (P_k - 1[y <= k])^2,     P_k = sum_{j <= k} p_j
    dL/dz_j  = p_j (d_j - sum_k p_k d_k),     d_j = 2 sum_{k >= j} (P_k - 1[y <= k])

A proper score that counts how far probability has to be moved; the gradient vanishes for confident wrong answers, as for every loss on
probabilities.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_options
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.reduction import reduce_rows, to_full_precision


def squared_emd_loss(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute the squared distance between the cumulative distributions of prediction and label.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes).
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none"; in [0, num_classes - 1].
    Raises:
        ValueError: the reduction is unknown.
    Source: Hou, Yu, Samaras, 2016, Squared earth mover's distance-based loss for training deep neural networks.

    >>> squared_emd_loss(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.2500)
    """
    require_options(reduction, 0.0)
    predicted = to_full_precision(logits).softmax(dim=1).cumsum(dim=1)
    reached = torch.arange(logits.shape[1], device=logits.device) >= target.unsqueeze(1)
    return reduce_rows((predicted - reached.to(predicted.dtype)).square().sum(1), target, weight, ignore_index, reduction)


class SquaredEMDLoss(OrdinalLoss):
    """Squared earth mover's distance, `squared_emd_loss` as a module.

    Args:
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: the reduction is unknown.
    Source: Hou, Yu, Samaras, 2016, Squared earth mover's distance-based loss for training deep neural networks.

    >>> SquaredEMDLoss()
    SquaredEMDLoss()
    """

    summary: ClassVar[str] = "squared earth mover's distance for ordered classes (ranked probability score)"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against labels (batch,)."""
        return squared_emd_loss(input, target, **self.pytorch_options())
