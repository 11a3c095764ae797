"""The loss whose gradient is the one printed as eq. 14 of arXiv 1912.11642 v1; an ablation, not a proposal.

    L(z, c) = -log p_c - beta log(alpha + 1 - p_c)
    dL/dz   = (1 - beta p_c / (alpha + 1 - p_c)) (p - e_c)

The derivative of +beta log(alpha + 1 - p) is -beta / (alpha + 1 - p); the printed equation has +. This loss is CRL with
beta negated, so it answers "what if eq. 14 had been implemented": smaller steps than cross-entropy on easy samples, and
where beta > alpha a stall at p = (alpha + 1) / (beta + 1), beyond which it pushes the true class down. The paper's
reported numbers come from code that differentiates eq. 11 automatically, that is from `CompetingRatioLoss`.
"""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from finegrained_crl.losses.competing_ratio import check_settings, ratio_loss
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


class PaperEq14Loss(SoftmaxLoss):
    """The loss whose gradient arXiv 1912.11642 v1 prints as eq. 14: -log p_c - beta log(alpha + 1 - p_c).

    Args:
        alpha: >= 0, as in `CompetingRatioLoss`.
        beta: >= 0, as in `CompetingRatioLoss`; the sign is changed inside.
    Raises:
        ValueError: alpha or beta is negative, or an option is outside its allowed values.
    Source: Zhang et al., 2019, arXiv 1912.11642 v1, eq. 14 as printed, integrated.

    >>> import torch
    >>> PaperEq14Loss()(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0]))
    tensor(-0.3347)
    """

    def __init__(self, alpha: float = 1.5, beta: float = 1.0, **options: Unpack[PyTorchOptions]) -> None:
        check_settings(alpha, beta)
        super().__init__(**options)
        self.alpha, self.beta = alpha, beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss; arguments as for `SoftmaxLoss.forward`."""
        return ratio_loss(input, target, self.alpha, -self.beta, False, **self.pytorch_options())
