"""Soft-margin softmax: the true class has to win by a margin m.

    L(z, c) = CE(z - m e_c, c) = -log( e^{z_c - m} / (e^{z_c - m} + sum_{k != c} e^{z_k}) )
    dL/dz   = softmax(z - m e_c) - e_c,     gain g(p) = e^m / (1 + (e^m - 1)(1 - p))

CRL with beta = 1 is this loss with m = log(1 + 1/alpha), plus the constant log(alpha): the paper's alpha = 1.5 is m = 0.5108.
Lowering a logit needs a copy of all logits; the same value follows from ce = -log p_c alone,

    L = ce + log(1 + (e^m - 1)(1 - p_c)),

on one number per sample. The tests compare it with the lowered logit.
(Several public versions subtract m from every logit, which does nothing, or lose the exponentials of the denominator.)
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.reduction import reduce_function_of_cross_entropy
from finegrained_crl.losses.softmax_loss import SoftmaxLoss

HIGHEST_MARGIN = 80.0


def soft_margin_softmax(
    logits: Tensor,
    target: Tensor,
    margin: float = 0.5,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute the cross-entropy after lowering the true class's logit by `margin`, with the options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k), where each class in turn is the one with the margin.

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        margin: in [0, 80], m above, in logits; 0 is cross-entropy. 0.5 is close to CRL's defaults (0.5108); the published value was not
            available to us.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none"; in [0, inf).
    Raises:
        ValueError: margin is outside [0, 80], or a shape disagrees.
    Source: Liang, Wang, Lei, Liao, Li, 2017, Soft-margin softmax for deep classification; the formula from third-party write-ups.

    >>> soft_margin_softmax(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), margin=2.0)
    tensor(0.6931)
    """
    check_margin(margin)
    require_options(reduction, label_smoothing)

    def term(ce: Tensor) -> Tensor:
        return ce + torch.log1p(torch.expm1(-ce) * -math.expm1(margin))

    return reduce_function_of_cross_entropy(logits, target, term, weight, ignore_index, reduction, label_smoothing)


class SoftMarginSoftmaxLoss(SoftmaxLoss):
    """Soft-margin softmax, `soft_margin_softmax` as a module: cross-entropy after lowering the true class's logit by `margin`.

    Args:
        margin: in [0, 80], in logits; 0 is cross-entropy, log(1 + 1/alpha) is CRL(alpha, beta=1) up to a constant.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: margin is outside [0, 80], or an option is outside its allowed values.
    Source: Liang, Wang, Lei, Liao, Li, 2017, Soft-margin softmax for deep classification; the formula from third-party write-ups.

    >>> SoftMarginSoftmaxLoss()
    SoftMarginSoftmaxLoss(margin=0.5)
    """

    summary: ClassVar[str] = "soft-margin softmax: the true class wins by a margin; CRL at beta = 1 with margin log(1 + 1/alpha)"

    def __init__(
        self,
        margin: float = 0.5,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        check_margin(margin)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities."""
        return soft_margin_softmax(input, target, self.margin, **self.pytorch_options())


def check_margin(margin: float) -> None:
    """Refuse a margin outside [0, 80]."""
    require_at_least("margin", margin, 0)
    if margin > HIGHEST_MARGIN:
        raise ValueError(f"margin must be in [0, {HIGHEST_MARGIN}], got {margin}; e^margin has to fit into float32")
