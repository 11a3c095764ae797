"""Dual cross-entropy (formula reconstructed): cross-entropy plus a penalty on each wrong class's probability.

    L(z, c)   = -log p_c + beta sum_{k != c} log(alpha + p_k)
    dL/dz_j   = (p - e_c)_j + t_j - p_j sum_k t_k,     t_k = beta p_k / (alpha + p_k) for k != c, t_c = 0

CRL takes the logarithm of the sum of the wrong probabilities, this loss the sum of their logarithms; with two classes they are the
same. For alpha < 1 the floor is (num_classes - 1) beta log(alpha), below 0.

We had the abstract, not the equations, and no code. The shape follows from the abstract and from CRL's eq. 11, its sibling from the
same group, and must not be cited as published. Confidence: medium.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_above, require_at_least, require_options
from finegrained_crl.losses.reduction import class_axis, reduce_class_losses, to_full_precision
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


def dual_cross_entropy(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute -log p_c + beta sum_{k != c} log(alpha + p_k) (reconstructed), with the targets and options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k).

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        alpha: > 0; keeps the logarithm finite. 1 is our choice (penalty >= 0): the published value is not known to us.
        beta: >= 0; weight of the penalty, 0 is cross-entropy. 1 is our choice, as for alpha.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none"; in [min(0, (num_classes - 1) beta log(alpha)), inf).
    Raises:
        ValueError: alpha is not positive, beta is negative, or a shape disagrees.
    Source: Reconstructed after Li, Yu, Chang, Ma, Cao, 2019, Dual cross-entropy loss for small-sample fine-grained vehicle classification
        (IEEE Transactions on Vehicular Technology).

    >>> dual_cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.0986)
    """
    _check(alpha, beta)
    require_options(reduction, label_smoothing)
    axis = class_axis(logits)
    log_p = F.log_softmax(to_full_precision(logits), axis)
    penalties = torch.logaddexp(log_p, log_p.new_tensor(math.log(alpha)))  # log(alpha + p_k)
    losses = -log_p + beta * (penalties.sum(axis, keepdim=True) - penalties)
    return reduce_class_losses(losses, target, weight, ignore_index, reduction, label_smoothing)


class DualCrossEntropyLoss(SoftmaxLoss):
    """Dual cross-entropy (reconstructed), `dual_cross_entropy` as a module.

    Args:
        alpha: > 0; keeps the logarithm finite. 1 is our choice (penalty >= 0): the published value is not known to us.
        beta: >= 0; weight of the penalty, 0 is cross-entropy. 1 is our choice, as for alpha.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: alpha is not positive, beta is negative, or an option is outside its allowed values.
    Source: Reconstructed after Li, Yu, Chang, Ma, Cao, 2019, Dual cross-entropy loss for small-sample fine-grained vehicle classification
        (IEEE Transactions on Vehicular Technology).

    >>> DualCrossEntropyLoss()
    DualCrossEntropyLoss(alpha=1.0, beta=1.0)
    """

    summary: ClassVar[str] = "dual cross-entropy (formula reconstructed): also penalises each wrong class's probability"

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 1.0,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check(alpha, beta)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        self.alpha, self.beta = alpha, beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities."""
        return dual_cross_entropy(input, target, self.alpha, self.beta, **self.pytorch_options())


def _check(alpha: float, beta: float) -> None:
    require_above("alpha", alpha, 0)
    require_at_least("beta", beta, 0)
