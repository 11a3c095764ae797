"""DLDL-v2: the divergence from a Gaussian around the label, and the error of the expected label.

L(z, y) = KL(q || p) + lam |mu - y|,     q_k proportional to exp(-(k - y)^2 / (2 sigma^2)),   mu = sum_k k p_k
dL/dz_j = (p - q)_j + lam sign(mu - y) p_j (j - mu)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_above, require_at_least, require_options
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.ordinal_targets import dldl_targets, expected_losses
from finegrained_crl.losses.reduction import to_full_precision


def dldl_loss(
    logits: Tensor,
    target: Tensor,
    sigma: float = 0.75,
    lam: float = 1.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute KL(q || p) + lam |sum_k k p_k - y| for ordered classes.

    q is the row of `dldl_targets`; y of a mixture is its mean label.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes); or float, (batch, num_classes), a mixture of labels (mixup).
        sigma: > 0, in classes; width of the targets. For ages in years the literature takes 2.
        lam: >= 0; weight of the expected label's error. 1 is from memory of the literature.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none"; >= 0.
    Raises:
        ValueError: sigma is not positive, lam is negative, or a shape disagrees.
    Source: Gao, Zhou, Wu, Geng, 2018, Age estimation using expectation of label distribution learning.

    >>> dldl_loss(torch.zeros(1, 3), torch.tensor([1]), lam=0.0)
    tensor(0.0975)
    """
    require_options(reduction, 0.0)
    log_p = F.log_softmax(to_full_precision(logits), dim=1)
    table = dldl_targets(logits.shape[1], sigma).to(log_p)
    classes = torch.arange(len(table), device=log_p.device, dtype=log_p.dtype)
    # Per label y: KL = sum_k q_k log q_k - sum_k q_k log p_k, and the distance of the expected label from y.
    divergence = (table * table.clamp_min(torch.finfo(table.dtype).tiny).log()).sum(1) - log_p @ table.T
    error = ((log_p.exp() @ classes).unsqueeze(1) - classes).abs()
    return expected_losses(divergence + lam * error, target, torch.eye(len(table)), weight, ignore_index, reduction)


class DLDLv2Loss(OrdinalLoss):
    """DLDL-v2, `dldl_loss` as a module: KL(q || p) + lam |sum_k k p_k - y|.

    Args:
        sigma: > 0, in classes; width of the targets. For ages in years the literature takes 2.
        lam: >= 0; weight of the expected label's error. 1 is from memory of the literature.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: sigma is not positive, lam is negative, or an option is outside its allowed values.
    Source: Gao, Zhou, Wu, Geng, 2018, Age estimation using expectation of label distribution learning.

    >>> DLDLv2Loss()
    DLDLv2Loss(sigma=0.75, lam=1.0)
    """

    summary: ClassVar[str] = "DLDL-v2 for ordered classes: KL to a Gaussian around the label + error of the expected label"
    takes_soft_targets: ClassVar[bool] = True

    def __init__(
        self,
        sigma: float = 0.75,
        lam: float = 1.0,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        require_above("sigma", sigma, 0)
        require_at_least("lam", lam, 0)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        self.sigma, self.lam = sigma, lam

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against the target."""
        return dldl_loss(input, target, self.sigma, self.lam, **self.pytorch_options())
