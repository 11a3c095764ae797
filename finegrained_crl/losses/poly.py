"""Poly-1: the first term of cross-entropy's expansion in 1 - p_c, weighted anew.

    L(z, c) = -log p_c + epsilon (1 - p_c)
    dL/dz   = (1 + epsilon p_c) (p - e_c)

-log p = sum_j (1 - p)^j / j; Poly-1 changes the first coefficient from 1 to 1 + epsilon. CRL(alpha, beta) expanded the
same way is beta log(alpha) + sum_j [1/j + beta (-1)^(j+1) / (j alpha^j)] (1 - p)^j, so to first order CRL is Poly-1
with epsilon = beta/alpha, 0.667 at CRL's defaults.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from finegrained_crl.losses.checks import require_at_least
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.softmax_loss import FunctionOfCrossEntropy


class PolyLoss(FunctionOfCrossEntropy):
    """Poly-1: -log p_c + epsilon (1 - p_c).

    Args:
        epsilon: >= -1; change of the first coefficient. 2 is the authors' value for ImageNet; 0 is cross-entropy.
    Raises:
        ValueError: epsilon is below -1 (the gradient would change its sign), or an option is outside its allowed
            values.
    Source: Leng, Tan, Liu, Cubuk et al., 2022, PolyLoss: a polynomial expansion perspective of classification loss
        functions.

    >>> PolyLoss(epsilon=1.0)
    PolyLoss(epsilon=1.0)
    """

    def __init__(self, epsilon: float = 2.0, **options: Unpack[PyTorchOptions]) -> None:
        require_at_least("epsilon", epsilon, -1)
        super().__init__(**options)
        self.epsilon = epsilon

    def term(self, ce: Tensor) -> Tensor:
        """Compute ce + epsilon (1 - p)."""
        return torch.sub(ce, torch.expm1(-ce), alpha=self.epsilon)
