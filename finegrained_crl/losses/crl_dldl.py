"""CRL towards DLDL targets: the competing ratio for ordered classes with a Gaussian around the label.

    L(z, y) = sum_k q_k L_CRL(z, k),     q_k proportional to exp(-(k - y)^2 / (2 sigma^2))

As `crl_sord`, with the targets of label distribution learning.
"""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from finegrained_crl.losses.checks import require_above, require_at_least
from finegrained_crl.losses.competing_ratio import competing_ratio_losses
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_loss import OrdinalTargetLoss
from finegrained_crl.losses.ordinal_targets import dldl_targets


class CompetingRatioDLDLLoss(OrdinalTargetLoss):
    """CRL towards DLDL targets: sum_k q_k (-log p_k + beta log(alpha + 1 - p_k)) with a Gaussian q around the label.

    Args:
        alpha: >= 0, as in `CompetingRatioLoss`.
        beta: >= 0, as in `CompetingRatioLoss`.
        sigma: > 0, in classes; width of the targets.
    Raises:
        ValueError: alpha or beta is negative, sigma is not positive, or an option is outside its allowed values.
    Source: ours, from Zhang et al., 2019, arXiv 1912.11642, eq. 11, and Gao, Xing, Xie, Wu, Geng, 2017, Deep label
        distribution learning with label ambiguity.

    >>> import torch
    >>> CompetingRatioDLDLLoss()(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.8718)
    """

    def __init__(
        self, alpha: float = 1.5, beta: float = 1.0, sigma: float = 0.75, **options: Unpack[RowOptions]
    ) -> None:
        require_at_least("alpha", alpha, 0)
        require_at_least("beta", beta, 0)
        require_above("sigma", sigma, 0)
        super().__init__(**options)
        self.alpha, self.beta, self.sigma = alpha, beta, sigma

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute -log p_k + beta log(alpha + 1 - p_k)."""
        return competing_ratio_losses(logits, self.alpha, self.beta)

    def targets(self, num_classes: int) -> Tensor:
        """Give `dldl_targets`."""
        return dldl_targets(num_classes, self.sigma)
