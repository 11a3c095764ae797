"""DLDL-v2: the divergence from a Gaussian around the label, and the error of the expected label.

L(z, y) = KL(q || p) + lam |mu - y|,     q_k proportional to exp(-(k - y)^2 / (2 sigma^2)),   mu = sum_k k p_k
dL/dz_j = (p - q)_j + lam sign(mu - y) p_j (j - mu)
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_above, require_at_least
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_loss import OrdinalTargetLoss
from finegrained_crl.losses.ordinal_targets import dldl_targets


class DLDLv2Loss(OrdinalTargetLoss):
    """DLDL-v2: KL(q || p) + lam |sum_k k p_k - y|; y of a mixture is its mean label.

    Args:
        sigma: > 0, in classes; width of the targets. For ages in years the literature takes 2.
        lam: >= 0; weight of the expected label's error. 1 is from memory of the literature.
    Raises:
        ValueError: sigma is not positive, lam is negative, or an option is outside its allowed values.
    Source: Gao, Zhou, Wu, Geng, 2018, Age estimation using expectation of label distribution learning.

    >>> DLDLv2Loss(lam=0.0)(torch.zeros(1, 3), torch.tensor([1]))
    tensor(0.0975)
    """

    def __init__(self, sigma: float = 0.75, lam: float = 1.0, **options: Unpack[RowOptions]) -> None:
        require_above("sigma", sigma, 0)
        require_at_least("lam", lam, 0)
        super().__init__(**options)
        self.sigma, self.lam = sigma, lam

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute the whole loss for every label y: the sum over the Gaussian is taken here, so `targets` has one class
        each.
        """
        log_p = F.log_softmax(logits, dim=1)
        table = dldl_targets(logits.shape[1], self.sigma).to(log_p)
        classes = torch.arange(len(table), device=log_p.device, dtype=log_p.dtype)
        # Per label y: KL = sum_k q_k log q_k - sum_k q_k log p_k, and the distance of the expected label from y.
        divergence = (table * table.clamp_min(torch.finfo(table.dtype).tiny).log()).sum(1) - log_p @ table.T
        error = ((log_p.exp() @ classes).unsqueeze(1) - classes).abs()
        return divergence + self.lam * error

    def targets(self, num_classes: int) -> Tensor:
        """Give one-hot rows."""
        return torch.eye(num_classes)
