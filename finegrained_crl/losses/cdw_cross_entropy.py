"""Class-distance-weighted cross-entropy: far classes are told to be absent more strongly.

    L(z, y) = -sum_k |k - y|^alpha log(1 - p_k)

The true class enters only through the others (its weight is 0). log(1 - p_k) is taken in log space: dlordinal's `CDWCELoss` exponentiates
raw logits and gives NaN from a logit of about 90 on, which is why it is not wrapped.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_above, require_classes, require_options
from finegrained_crl.losses.log_complement import log_complement
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.reduction import reduce_rows, to_full_precision


def cdw_cross_entropy(
    logits: Tensor,
    target: Tensor,
    alpha: float = 5.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute -sum_k |k - y|^alpha log(1 - p_k) for ordered classes.

    alpha = 0 would weight all wrong classes alike; large alpha cares for far ones only.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes).
        alpha: > 0; growth of the weight with the distance. About 5 in the paper (from memory); dlordinal's default is 0.5.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none"; >= 0.
    Raises:
        ValueError: alpha is not positive, or a shape disagrees.
    Source: Polat, Ergenc, Kani, Alahdab et al., 2022, Class distance
        weighted cross-entropy loss for ulcerative colitis severity estimation.

    >>> cdw_cross_entropy(torch.zeros(1, 3), torch.tensor([0]), alpha=1.0)
    tensor(1.2164)
    """
    require_options(reduction, 0.0)
    require_classes(logits.shape[1])
    absent = -log_complement(F.log_softmax(to_full_precision(logits), dim=1), 1)
    classes = torch.arange(logits.shape[1], device=logits.device, dtype=absent.dtype)
    labels = target.where(target != ignore_index, 0).to(absent.dtype)
    rows = ((classes - labels.unsqueeze(1)).abs() ** alpha * absent).sum(1)
    return reduce_rows(rows, target, weight, ignore_index, reduction)


class CDWCrossEntropyLoss(OrdinalLoss):
    """Class-distance-weighted cross-entropy, `cdw_cross_entropy` as a module.

    Args:
        alpha: > 0; growth of the weight with the distance. About 5 in the paper (from memory); dlordinal's default is 0.5.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: alpha is not positive, or an option is outside its allowed values.
    Source: Polat, Ergenc, Kani, Alahdab et al., 2022, Class distance
        weighted cross-entropy loss for ulcerative colitis severity estimation.

    >>> CDWCrossEntropyLoss()
    CDWCrossEntropyLoss(alpha=5.0)
    """

    summary: ClassVar[str] = "class-distance-weighted cross-entropy for ordered classes"

    def __init__(
        self,
        alpha: float = 5.0,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        require_above("alpha", alpha, 0)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        self.alpha = alpha

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against the target."""
        return cdw_cross_entropy(input, target, self.alpha, **self.pytorch_options())
