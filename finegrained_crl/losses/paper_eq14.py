"""The loss whose gradient is the one printed as eq. 14 of arXiv 1912.11642 v1; an ablation, not a proposal.

    L(z, c) = -log p_c - beta log(alpha + 1 - p_c)
    dL/dz   = (1 - beta p_c / (alpha + 1 - p_c)) (p - e_c)

The derivative of +beta log(alpha + 1 - p) is -beta / (alpha + 1 - p); the printed equation has +. This loss is CRL with beta
negated, so it answers "what if eq. 14 had been implemented": smaller steps than cross-entropy on easy samples, and where
beta > alpha a stall at p = (alpha + 1) / (beta + 1), beyond which it pushes the true class down. The paper's reported numbers come
from code that differentiates eq. 11 automatically, that is from `CompetingRatioLoss`.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.competing_ratio import ratio_loss
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


def paper_eq14_loss(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.5,
    beta: float = 1.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute -log p_c - beta log(alpha + 1 - p_c), with the targets and options of `F.cross_entropy`.

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        alpha: >= 0, as in `competing_ratio_loss`.
        beta: >= 0, as in `competing_ratio_loss`; the sign is changed here.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none".
    Raises:
        ValueError: alpha or beta is negative, or a shape disagrees.
    Source: Zhang et al., 2019, arXiv 1912.11642 v1, eq. 14 as printed, integrated.

    >>> import torch
    >>> paper_eq14_loss(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0]))
    tensor(-0.3347)
    """
    _check(alpha, beta)
    require_options(reduction, label_smoothing)
    return ratio_loss(logits, target, alpha, -beta, False, weight, ignore_index, reduction, label_smoothing)


class PaperEq14Loss(SoftmaxLoss):
    """The loss whose gradient arXiv 1912.11642 v1 prints as eq. 14, `paper_eq14_loss` as a module.

    Args:
        alpha: >= 0, as in `CompetingRatioLoss`.
        beta: >= 0, as in `CompetingRatioLoss`; the sign is changed inside.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: alpha or beta is negative, or an option is outside its allowed values.
    Source: Zhang et al., 2019, arXiv 1912.11642 v1, eq. 14 as printed, integrated.

    >>> PaperEq14Loss()
    PaperEq14Loss(alpha=1.5, beta=1.0)
    """

    summary: ClassVar[str] = "ablation: the loss whose gradient the CRL paper prints (eq. 14), CRL with beta negated"

    def __init__(
        self,
        alpha: float = 1.5,
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
        return paper_eq14_loss(input, target, self.alpha, self.beta, **self.pytorch_options())


def _check(alpha: float, beta: float) -> None:
    require_at_least("alpha", alpha, 0)
    require_at_least("beta", beta, 0)
