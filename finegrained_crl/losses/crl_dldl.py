"""CRL towards DLDL targets: the competing ratio for ordered classes with a Gaussian around the label.

    L(z, y) = sum_k q_k L_CRL(z, k),     q_k proportional to exp(-(k - y)^2 / (2 sigma^2))

As `crl_sord`, with the targets of label distribution learning.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from finegrained_crl.losses.checks import require_above, require_at_least, require_options
from finegrained_crl.losses.competing_ratio import competing_ratio_losses
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.ordinal_targets import dldl_targets, expected_losses


def crl_dldl_loss(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.5,
    beta: float = 1.0,
    sigma: float = 0.75,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute CRL towards the DLDL targets of `dldl_targets`.

    sum_k q_k (-log p_k + beta log(alpha + 1 - p_k)) with q the row of the label.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes); or float, (batch, num_classes), a mixture of labels (mixup).
        alpha: >= 0, as in `competing_ratio_loss`.
        beta: >= 0, as in `competing_ratio_loss`.
        sigma: > 0, in classes; width of the targets.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none".
    Raises:
        ValueError: alpha or beta is negative, sigma is not positive, or a shape disagrees.
    Source: ours, from Zhang et al., 2019, arXiv 1912.11642, eq. 11, and Gao, Xing, Xie, Wu, Geng, 2017, Deep label distribution
        learning with label ambiguity.

    >>> import torch
    >>> crl_dldl_loss(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.8718)
    """
    require_options(reduction, 0.0)
    losses = competing_ratio_losses(logits, alpha, beta)
    return expected_losses(losses, target, dldl_targets(logits.shape[1], sigma), weight, ignore_index, reduction)


class CompetingRatioDLDLLoss(OrdinalLoss):
    """CRL towards DLDL targets, `crl_dldl_loss` as a module.

    Args:
        alpha: >= 0, as in `competing_ratio_loss`.
        beta: >= 0, as in `competing_ratio_loss`.
        sigma: > 0, in classes; width of the targets.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: alpha or beta is negative, sigma is not positive, or an option is outside its allowed values.
    Source: ours, from Zhang et al., 2019, arXiv 1912.11642, eq. 11, and Gao, Xing, Xie, Wu, Geng, 2017, Deep label distribution
        learning with label ambiguity.

    >>> CompetingRatioDLDLLoss()
    CompetingRatioDLDLLoss(alpha=1.5, beta=1.0, sigma=0.75)
    """

    summary: ClassVar[str] = "CRL for ordered classes, towards a Gaussian around the label (DLDL)"
    takes_soft_targets: ClassVar[bool] = True

    def __init__(
        self,
        alpha: float = 1.5,
        beta: float = 1.0,
        sigma: float = 0.75,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        require_at_least("alpha", alpha, 0)
        require_at_least("beta", beta, 0)
        require_above("sigma", sigma, 0)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        self.alpha, self.beta, self.sigma = alpha, beta, sigma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against the target."""
        return crl_dldl_loss(input, target, self.alpha, self.beta, self.sigma, **self.pytorch_options())
