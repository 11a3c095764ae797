"""Tamed cross-entropy (formula reconstructed): a gain that falls on hard samples, for noisy labels.

    L(z, c) = ((1 - log p_c)^(1 - alpha) - 1) / (1 - alpha),      alpha = 1: log(1 - log p_c)
    dL/dz   = (1 - log p_c)^(-alpha) (p - e_c)

alpha = 0 is cross-entropy. The gain is 1 on solved samples and falls slowly to 0 on hopeless ones.

We had the abstract and second-hand descriptions, not the paper's equations and no code; the formula fits what they say (equal to
cross-entropy without noise, robust with it, one setting alpha) and must not be cited as published. Confidence: medium to low.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.reduction import reduce_function_of_cross_entropy
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


def tamed_cross_entropy(
    logits: Tensor,
    target: Tensor,
    alpha: float = 0.5,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute ((1 - log p_c)^(1 - alpha) - 1) / (1 - alpha) (reconstructed), with the targets and options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k).

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        alpha: >= 0; strength of the taming, 0 is cross-entropy. 0.5 is our choice: the published value is not known to us.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none"; in [0, inf).
    Raises:
        ValueError: alpha is negative, or a shape disagrees.
    Source: Reconstructed after Martinez, Stiefelhagen, 2018, Taming the cross entropy loss (arXiv 1810.05075, GCPR).

    >>> tamed_cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]), alpha=1.0)
    tensor(0.5266)
    """
    _check(alpha)
    require_options(reduction, label_smoothing)

    def term(ce: Tensor) -> Tensor:
        log_distance = torch.log1p(ce)  # log(1 - log p)
        return log_distance if alpha == 1 else torch.expm1((1 - alpha) * log_distance) / (1 - alpha)

    return reduce_function_of_cross_entropy(logits, target, term, weight, ignore_index, reduction, label_smoothing)


class TamedCrossEntropyLoss(SoftmaxLoss):
    """Tamed cross-entropy (reconstructed), `tamed_cross_entropy` as a module.

    Args:
        alpha: >= 0; strength of the taming, 0 is cross-entropy. 0.5 is our choice: the published value is not known to us.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: alpha is negative, or an option is outside its allowed values.
    Source: Reconstructed after Martinez, Stiefelhagen, 2018, Taming the cross entropy loss (arXiv 1810.05075, GCPR).

    >>> TamedCrossEntropyLoss(alpha=1.0)
    TamedCrossEntropyLoss(alpha=1.0)
    """

    summary: ClassVar[str] = "tamed cross-entropy (formula reconstructed): gain falls on hard samples, for noisy labels"

    def __init__(
        self,
        alpha: float = 0.5,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check(alpha)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        self.alpha = alpha

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities."""
        return tamed_cross_entropy(input, target, self.alpha, **self.pytorch_options())


def _check(alpha: float) -> None:
    require_at_least("alpha", alpha, 0)
