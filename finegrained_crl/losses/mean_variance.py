"""Mean-variance loss: cross-entropy, the error of the expected label, and the spread around it.

L(z, y) = CE(z, y) + lambda_1 / 2 (mu - y)^2 + lambda_2 v,     mu = sum_k k p_k,   v = sum_k p_k (k - mu)^2
dL/dz_j = (p - e_y)_j + p_j [lambda_1 (mu - y)(j - mu) + lambda_2 ((j - mu)^2 - v)]
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.reduction import reduce_rows, to_full_precision


def mean_variance_loss(
    logits: Tensor,
    target: Tensor,
    lambda_1: float = 0.2,
    lambda_2: float = 0.05,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute CE + lambda_1 / 2 (mu - y)^2 + lambda_2 v for ordered classes.

    mu and v are the mean and the variance of the predicted distribution over class indices.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes).
        lambda_1: >= 0; weight of the mean's error. From memory of the paper.
        lambda_2: >= 0; weight of the variance. From memory of the paper.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none"; >= 0.
    Raises:
        ValueError: a weight is negative, or a shape disagrees.
    Source: Pan, Han, Shan, Chen, 2018, Mean-variance loss for deep age estimation from a face, eq. 1 to 5.

    >>> mean_variance_loss(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.1319)
    """
    require_options(reduction, 0.0)
    scores = to_full_precision(logits)
    p, classes = scores.softmax(dim=1), torch.arange(scores.shape[1], device=scores.device, dtype=scores.dtype)
    mean = p @ classes
    variance = (p * (classes - mean.unsqueeze(1)).square()).sum(1)
    ce = F.cross_entropy(scores, target, ignore_index=ignore_index, reduction="none")
    rows = ce + lambda_1 / 2 * (mean - target.to(scores.dtype)).square() + lambda_2 * variance
    return reduce_rows(rows, target, weight, ignore_index, reduction)


class MeanVarianceLoss(OrdinalLoss):
    """Mean-variance loss, `mean_variance_loss` as a module.

    Args:
        lambda_1: >= 0; weight of the mean's error. From memory of the paper.
        lambda_2: >= 0; weight of the variance. From memory of the paper.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: a weight is negative, or an option is outside its allowed values.
    Source: Pan, Han, Shan, Chen, 2018, Mean-variance loss for deep age estimation from a face, eq. 1 to 5.

    >>> MeanVarianceLoss()
    MeanVarianceLoss(lambda_1=0.2, lambda_2=0.05)
    """

    summary: ClassVar[str] = "mean-variance for ordered classes: cross-entropy + error of the expected label + spread"

    def __init__(
        self,
        lambda_1: float = 0.2,
        lambda_2: float = 0.05,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        require_at_least("lambda_1", lambda_1, 0)
        require_at_least("lambda_2", lambda_2, 0)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        self.lambda_1, self.lambda_2 = lambda_1, lambda_2

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against the target."""
        return mean_variance_loss(input, target, self.lambda_1, self.lambda_2, **self.pytorch_options())
