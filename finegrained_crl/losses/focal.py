"""Focal loss on the softmax: cross-entropy that turns away from what is already learnt.

    L(z, c) = -(1 - p_c)^gamma log p_c
    dL/dz   = g(p_c) (p - e_c),     g(p) = (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p

The gain g falls from 1 to 0 (for gamma = 2 it rises first, to 1.23 near p = 0.1): easy samples are weighted down, where
CRL weights them up. Not a proper score; its probabilities are under-confident. The usual trap is the power of 1 - p at
p = 1 for gamma < 1, whose derivative is infinite: 1 - p is kept above the smallest normal number, which changes no
value and makes the gradient there 0.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.softmax_loss import FunctionOfCrossEntropy


class FocalLoss(FunctionOfCrossEntropy):
    """Focal loss on the softmax: -(1 - p_c)^gamma log p_c.

    Args:
        gamma: >= 0; strength of the turning away. 2 is the paper's choice, 0 is cross-entropy.
    Raises:
        ValueError: gamma is negative, or an option is outside its allowed values.
    Source: Lin, Goyal, Girshick, He, Dollár, 2017, Focal loss for dense object detection, eq. 4 and 5; there on
        sigmoids, here on the softmax. Their alpha is `weight`.

    >>> FocalLoss(gamma=0.5)
    FocalLoss(gamma=0.5)
    """

    def __init__(self, gamma: float = 2.0, **options: Unpack[PyTorchOptions]) -> None:
        require_at_least("gamma", gamma, 0)
        super().__init__(**options)
        self.gamma = gamma

    def term(self, ce: Tensor) -> Tensor:
        """Compute (1 - p)^gamma ce."""
        rest = -torch.expm1(-ce)  # 1 - p
        return rest.clamp_min(torch.finfo(ce.dtype).tiny).pow(self.gamma) * ce
