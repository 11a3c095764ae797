"""Negative Log-Likelihood Ratio: how far the true class leads its competitors, without an end.

    L(z, c) = -log(p_c / sum_{k != c} p_k) = log sum_{k != c} e^{z_k} - z_c
    dL/dz   = softmax over the competitors - e_c,     gain g(p) = 1 / (1 - p)

It is CRL with alpha = 0 and beta = 1. The gradient never vanishes (its absolute values always sum to 2), so the loss has no lower
bound and no stationary point: weights grow until something else stops them. (Eq. 15 as printed in arXiv 1912.11642 v1 would instead
stall at p_c = 1/2.) Two ways to give it a floor are offered, both off by default.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_options
from finegrained_crl.losses.log_complement import log_complement
from finegrained_crl.losses.reduction import class_axis, reduce_class_losses, to_full_precision
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


def negative_log_likelihood_ratio(
    logits: Tensor,
    target: Tensor,
    floor: float | None = None,
    clamp: float | None = None,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute log(1 - p_c) - log p_c, with the targets and options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k).

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax; 2 classes or more.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        floor: lowest value a class's loss may take; samples beyond it have no gradient. None: no floor.
        clamp: the authors' form, log((1 - p)/p + clamp) with p kept in [clamp, 1 - clamp]; they use 1e-7. It also removes the
            gradient of hopelessly wrong samples (p below clamp). None: exact.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none"; any real number.
    Raises:
        ValueError: one class only, floor and clamp together, clamp outside (0, 0.5), or a shape disagrees.
    Source: Zhu, Yao, Jiang, Yu, 2018, Negative log likelihood ratio loss for deep neural network classification (arXiv 1804.10690);
        the definition from Zhang et al., 2019, arXiv 1912.11642 v1, eq. 9 and 10, the clamp from that paper's released code.

    >>> negative_log_likelihood_ratio(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(-2.)
    """
    _check(floor, clamp)
    require_options(reduction, label_smoothing)
    axis = class_axis(logits)
    if logits.shape[axis] < 2:
        raise ValueError("the likelihood ratio needs at least 2 classes, got 1: there is no competitor")
    log_p = F.log_softmax(to_full_precision(logits), axis)
    losses = log_complement(log_p, axis) - log_p if clamp is None else _clamped(log_p.exp(), clamp)
    losses = losses if floor is None else losses.clamp_min(floor)
    return reduce_class_losses(losses, target, weight, ignore_index, reduction, label_smoothing)


class NegativeLogLikelihoodRatioLoss(SoftmaxLoss):
    """Negative Log-Likelihood Ratio, `negative_log_likelihood_ratio` as a module: log(1 - p_c) - log p_c.

    Args:
        floor: lowest value a class's loss may take; samples beyond it have no gradient. None: no floor.
        clamp: the authors' form with probabilities kept in [clamp, 1 - clamp]; they use 1e-7. None: exact.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: floor and clamp together, clamp outside (0, 0.5), or an option is outside its allowed values.
    Source: Zhu, Yao, Jiang, Yu, 2018, Negative log likelihood ratio loss for deep neural network classification (arXiv 1804.10690).

    >>> NegativeLogLikelihoodRatioLoss(floor=-5.0)
    NegativeLogLikelihoodRatioLoss(floor=-5.0, clamp=None)
    """

    summary: ClassVar[str] = "negative log-likelihood ratio: CRL at alpha = 0, beta = 1; no lower bound unless floored"

    def __init__(
        self,
        floor: float | None = None,
        clamp: float | None = None,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        _check(floor, clamp)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        self.floor, self.clamp = floor, clamp

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities."""
        return negative_log_likelihood_ratio(input, target, self.floor, self.clamp, **self.pytorch_options())


def _clamped(p: Tensor, clamp: float) -> Tensor:
    kept = p.clamp(clamp, 1 - clamp)
    return torch.log((1 - kept) / kept + clamp)


def _check(floor: float | None, clamp: float | None) -> None:
    if floor is not None and clamp is not None:
        raise ValueError(f"give floor or clamp, not both; got floor = {floor} and clamp = {clamp}")
    if clamp is not None and not 0 < clamp < 0.5:
        raise ValueError(f"clamp must lie in (0, 0.5), got {clamp}; the authors use 1e-7")
