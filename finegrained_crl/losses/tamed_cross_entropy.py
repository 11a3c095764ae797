"""Tamed cross-entropy (formula reconstructed): a gain that falls on hard samples, for noisy labels.

    L(z, c) = ((1 - log p_c)^(1 - alpha) - 1) / (1 - alpha),      alpha = 1: log(1 - log p_c)
    dL/dz   = (1 - log p_c)^(-alpha) (p - e_c)

alpha = 0 is cross-entropy. The gain is 1 on solved samples and falls slowly to 0 on hopeless ones.

We had the abstract and second-hand descriptions, not the paper's equations and no code; the formula fits what they say
(equal to cross-entropy without noise, robust with it, one setting alpha) and must not be cited as published.
Confidence: medium to low.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.softmax_loss import FunctionOfCrossEntropy


class TamedCrossEntropyLoss(FunctionOfCrossEntropy):
    """Tamed cross-entropy (reconstructed): ((1 - log p_c)^(1 - alpha) - 1) / (1 - alpha).

    Args:
        alpha: >= 0; strength of the taming, 0 is cross-entropy. 0.5 is our choice: the published value is not known to
            us.
    Raises:
        ValueError: alpha is negative, or an option is outside its allowed values.
    Source: Reconstructed after Martinez, Stiefelhagen, 2018, Taming the cross entropy loss (arXiv 1810.05075, GCPR).

    >>> TamedCrossEntropyLoss(alpha=1.0)
    TamedCrossEntropyLoss(alpha=1.0)
    """

    def __init__(self, alpha: float = 0.5, **options: Unpack[PyTorchOptions]) -> None:
        require_at_least("alpha", alpha, 0)
        super().__init__(**options)
        self.alpha = alpha

    def term(self, ce: Tensor) -> Tensor:
        """Compute ((1 + ce)^(1 - alpha) - 1) / (1 - alpha)."""
        log_distance = torch.log1p(ce)  # log(1 - log p)
        return log_distance if self.alpha == 1 else torch.expm1((1 - self.alpha) * log_distance) / (1 - self.alpha)
