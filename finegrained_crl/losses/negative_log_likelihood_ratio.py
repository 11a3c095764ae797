"""Negative Log-Likelihood Ratio: how far the true class leads its competitors, without an end.

    L(z, c) = -log(p_c / sum_{k != c} p_k) = log sum_{k != c} e^{z_k} - z_c
    dL/dz   = softmax over the competitors - e_c,     gain g(p) = 1 / (1 - p)

It is CRL with alpha = 0 and beta = 1. The gradient never vanishes (its absolute values always sum to 2), so the loss
has no lower
bound and no stationary point: weights grow until something else stops them. (Eq. 15 as printed in arXiv 1912.11642 v1
would instead stall at p_c = 1/2.) Two ways to give it a floor are offered, both off by default.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.log_complement import log_complement
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.reduction import class_axis, to_full_precision
from finegrained_crl.losses.softmax_loss import ClassLosses


class NegativeLogLikelihoodRatioLoss(ClassLosses):
    """Negative Log-Likelihood Ratio: log(1 - p_c) - log p_c, for 2 classes or more.

    Args:
        floor: lowest value a class's loss may take; samples beyond it have no gradient. None: no floor.
        clamp: the authors' form, log((1 - p)/p + clamp) with p kept in [clamp, 1 - clamp]; they use 1e-7. It also
            removes the gradient of hopelessly wrong samples (p below clamp). None: exact.
    Raises:
        ValueError: floor and clamp together, clamp outside (0, 0.5), or an option is outside its allowed values.
    Source: Zhu, Yao, Jiang, Yu, 2018, Negative log likelihood ratio loss for deep neural network classification (arXiv
        1804.10690); the definition from Zhang et al., 2019, arXiv 1912.11642 v1, eq. 9 and 10, the clamp from that
        paper's released code.

    >>> NegativeLogLikelihoodRatioLoss()(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(-2.)
    """

    def __init__(
        self, floor: float | None = None, clamp: float | None = None, **options: Unpack[PyTorchOptions]
    ) -> None:
        if floor is not None and clamp is not None:
            raise ValueError(f"give floor or clamp, not both; got floor = {floor} and clamp = {clamp}")
        if clamp is not None and not 0 < clamp < 0.5:
            raise ValueError(f"clamp must lie in (0, 0.5), got {clamp}; the authors use 1e-7")
        super().__init__(**options)
        self.floor, self.clamp = floor, clamp

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute log(1 - p_k) - log p_k for every class k."""
        axis = class_axis(logits)
        if logits.shape[axis] < 2:
            raise ValueError("the likelihood ratio needs at least 2 classes, got 1: there is no competitor")
        log_p = F.log_softmax(to_full_precision(logits), axis)
        losses = log_complement(log_p, axis) - log_p if self.clamp is None else _clamped(log_p.exp(), self.clamp)
        return losses if self.floor is None else losses.clamp_min(self.floor)


def _clamped(p: Tensor, clamp: float) -> Tensor:
    kept = p.clamp(clamp, 1 - clamp)
    return torch.log((1 - kept) / kept + clamp)
