"""Poly-1: the first term of cross-entropy's expansion in 1 - p_c, weighted anew.

    L(z, c) = -log p_c + epsilon (1 - p_c)
    dL/dz   = (1 + epsilon p_c) (p - e_c)

-log p = sum_j (1 - p)^j / j; Poly-1 changes the first coefficient from 1 to 1 + epsilon. CRL(alpha, beta) expanded the same way
is beta log(alpha) + sum_j [1/j + beta (-1)^(j+1) / (j alpha^j)] (1 - p)^j, so to first order CRL is Poly-1 with
epsilon = beta/alpha, 0.667 at CRL's defaults.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.reduction import reduce_function_of_cross_entropy
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


def poly_loss(
    logits: Tensor,
    target: Tensor,
    epsilon: float = 2.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute -log p_c + epsilon (1 - p_c), with the targets and options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k), which for this loss equals CE + epsilon (1 - sum_k q_k p_k).

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        epsilon: >= -1; change of the first coefficient. 2 is the authors' value for ImageNet; 0 is cross-entropy.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none"; in [0, inf) for epsilon >= -1.
    Raises:
        ValueError: epsilon is below -1 (the gradient would change its sign), or a shape disagrees.
    Source: Leng, Tan, Liu, Cubuk et al., 2022, PolyLoss: a polynomial expansion perspective of classification loss functions.

    >>> poly_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.6931)
    """
    _check(epsilon)
    require_options(reduction, label_smoothing)

    def term(ce: Tensor) -> Tensor:
        return torch.sub(ce, torch.expm1(-ce), alpha=epsilon)

    return reduce_function_of_cross_entropy(logits, target, term, weight, ignore_index, reduction, label_smoothing)


class PolyLoss(SoftmaxLoss):
    """Poly-1, `poly_loss` as a module: -log p_c + epsilon (1 - p_c).

    Args:
        epsilon: >= -1; change of the first coefficient. 2 is the authors' value for ImageNet; 0 is cross-entropy.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: epsilon is below -1 (the gradient would change its sign), or an option is outside its allowed values.
    Source: Leng, Tan, Liu, Cubuk et al., 2022, PolyLoss: a polynomial expansion perspective of classification loss functions.

    >>> PolyLoss(epsilon=1.0)
    PolyLoss(epsilon=1.0)
    """

    summary: ClassVar[str] = "Poly-1: cross-entropy + epsilon (1 - p); CRL to first order at epsilon = beta/alpha"

    def __init__(
        self,
        epsilon: float = 2.0,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check(epsilon)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        self.epsilon = epsilon

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities."""
        return poly_loss(input, target, self.epsilon, **self.pytorch_options())


def _check(epsilon: float) -> None:
    require_at_least("epsilon", epsilon, -1)
