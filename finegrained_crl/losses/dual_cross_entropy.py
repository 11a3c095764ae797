"""Dual cross-entropy (formula reconstructed): cross-entropy plus a penalty on each wrong class's probability.

    L(z, c)   = -log p_c + beta sum_{k != c} log(alpha + p_k)
    dL/dz_j   = (p - e_c)_j + t_j - p_j sum_k t_k,     t_k = beta p_k / (alpha + p_k) for k != c, t_c = 0

CRL takes the logarithm of the sum of the wrong probabilities, this loss the sum of their logarithms; with two classes
they are the same. For alpha < 1 the floor is (num_classes - 1) beta log(alpha), below 0.

We had the abstract, not the equations, and no code. The shape follows from the abstract and from CRL's eq. 11, its
sibling from the same group, and must not be cited as published. Confidence: medium.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_above, require_at_least
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.reduction import class_axis, to_full_precision
from finegrained_crl.losses.softmax_loss import ClassLosses


class DualCrossEntropyLoss(ClassLosses):
    """Dual cross-entropy (reconstructed): -log p_c + beta sum_{k != c} log(alpha + p_k).

    Args:
        alpha: > 0; keeps the logarithm finite. 1 is our choice (penalty >= 0): the published value is not known to us.
        beta: >= 0; weight of the penalty, 0 is cross-entropy. 1 is our choice, as for alpha.
    Raises:
        ValueError: alpha is not positive, beta is negative, or an option is outside its allowed values.
    Source: Reconstructed after Li, Yu, Chang, Ma, Cao, 2019, Dual cross-entropy loss for small-sample fine-grained
        vehicle classification (IEEE Transactions on Vehicular Technology).

    >>> DualCrossEntropyLoss()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.0986)
    """

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, **options: Unpack[PyTorchOptions]) -> None:
        require_above("alpha", alpha, 0)
        require_at_least("beta", beta, 0)
        super().__init__(**options)
        self.alpha, self.beta = alpha, beta

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute -log p_k + beta sum_{j != k} log(alpha + p_j) for every class k."""
        axis = class_axis(logits)
        log_p = F.log_softmax(to_full_precision(logits), axis)
        penalties = torch.logaddexp(log_p, log_p.new_tensor(math.log(self.alpha)))  # log(alpha + p_k)
        return -log_p + self.beta * (penalties.sum(axis, keepdim=True) - penalties)
