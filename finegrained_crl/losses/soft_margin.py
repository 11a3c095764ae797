"""Soft-margin softmax: the true class has to win by a margin m.

    L(z, c) = CE(z - m e_c, c) = -log( e^{z_c - m} / (e^{z_c - m} + sum_{k != c} e^{z_k}) )
    dL/dz   = softmax(z - m e_c) - e_c,     gain g(p) = e^m / (1 + (e^m - 1)(1 - p))

CRL with beta = 1 is this loss with m = log(1 + 1/alpha), plus the constant log(alpha): the paper's alpha = 1.5 is m =
0.5108. Lowering a logit needs a copy of all logits; the same value follows from ce = -log p_c alone,

    L = ce + log(1 + (e^m - 1)(1 - p_c)),

on one number per sample. The tests compare it with the lowered logit.
(Several public versions subtract m from every logit, which does nothing, or lose the exponentials of the denominator.)
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.softmax_loss import FunctionOfCrossEntropy

HIGHEST_MARGIN = 80.0


class SoftMarginSoftmaxLoss(FunctionOfCrossEntropy):
    """Soft-margin softmax: cross-entropy after lowering the true class's logit by `margin`.

    A distribution as target gives sum_k q_k L(z, k), where each class in turn is the one with the margin.

    Args:
        margin: in [0, 80], in logits; 0 is cross-entropy, log(1 + 1/alpha) is CRL(alpha, beta=1) up to a constant. 0.5
            is close to CRL's defaults (0.5108); the published value was not available to us.
    Raises:
        ValueError: margin is outside [0, 80], or an option is outside its allowed values.
    Source: Liang, Wang, Lei, Liao, Li, 2017, Soft-margin softmax for deep classification; the formula from third-party
        write-ups.

    >>> SoftMarginSoftmaxLoss(margin=2.0)(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(0.6931)
    """

    def __init__(self, margin: float = 0.5, **options: Unpack[PyTorchOptions]) -> None:
        check_margin(margin)
        super().__init__(**options)
        self.margin = margin

    def term(self, ce: Tensor) -> Tensor:
        """Compute ce + log(1 + (e^m - 1)(1 - p))."""
        return with_margin(ce, self.margin)


def with_margin(ce: Tensor, margin: float) -> Tensor:
    """Compute ce + log(1 + (e^m - 1)(1 - e^-ce)), elementwise."""
    return ce + torch.log1p(torch.expm1(-ce) * -math.expm1(margin))


def check_margin(margin: float) -> None:
    """Refuse a margin outside [0, 80]."""
    require_at_least("margin", margin, 0)
    if margin > HIGHEST_MARGIN:
        raise ValueError(f"margin must be in [0, {HIGHEST_MARGIN}], got {margin}; e^margin has to fit into float32")
