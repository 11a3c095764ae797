"""Focal loss on the softmax: cross-entropy that turns away from what is already learnt.

    L(z, c) = -(1 - p_c)^gamma log p_c
    dL/dz   = g(p_c) (p - e_c),     g(p) = (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p

The gain g falls from 1 to 0 (for gamma = 2 it rises first, to 1.23 near p = 0.1): easy samples are weighted down, where CRL
weights them up. Not a proper score; its probabilities are under-confident.
The usual trap is the power of 1 - p at p = 1 for gamma < 1, whose derivative is infinite: 1 - p is kept above the smallest
normal number, which changes no value and makes the gradient there 0.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.reduction import reduce_function_of_cross_entropy
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


def focal_loss(
    logits: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute -(1 - p_c)^gamma log p_c, with the targets and options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k).

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        gamma: >= 0; strength of the turning away. 2 is the paper's choice, 0 is cross-entropy.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none"; in [0, inf).
    Raises:
        ValueError: gamma is negative, or a shape disagrees.
    Source: Lin, Goyal, Girshick, He, Dollár, 2017, Focal loss for dense object detection, eq. 4 and 5; there on sigmoids, here on the
        softmax. Their alpha is `weight`.

    >>> focal_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.1733)
    """
    _check(gamma)
    require_options(reduction, label_smoothing)

    def term(ce: Tensor) -> Tensor:
        rest = -torch.expm1(-ce)  # 1 - p
        return rest.clamp_min(torch.finfo(ce.dtype).tiny).pow(gamma) * ce

    return reduce_function_of_cross_entropy(logits, target, term, weight, ignore_index, reduction, label_smoothing)


class FocalLoss(SoftmaxLoss):
    """Focal loss on the softmax, `focal_loss` as a module: -(1 - p_c)^gamma log p_c.

    Args:
        gamma: >= 0; strength of the turning away. 2 is the paper's choice, 0 is cross-entropy.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: gamma is negative, or an option is outside its allowed values.
    Source: Lin, Goyal, Girshick, He, Dollár, 2017, Focal loss for dense object detection, eq. 4 and 5; there on sigmoids, here on the
        softmax. Their alpha is `weight`.

    >>> FocalLoss(gamma=0.5)
    FocalLoss(gamma=0.5)
    """

    summary: ClassVar[str] = "focal loss: weights down what is already learnt, the opposite of CRL"

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check(gamma)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        self.gamma = gamma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities."""
        return focal_loss(input, target, self.gamma, **self.pytorch_options())


def _check(gamma: float) -> None:
    require_at_least("gamma", gamma, 0)
