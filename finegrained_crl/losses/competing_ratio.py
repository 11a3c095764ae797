"""Competing Ratio Loss: cross-entropy plus a bounded reward for leaving the competitors little probability.

With p = softmax(z) and the true class c (Zhang et al., arXiv 1912.11642, eq. 11):

    L(z, c)      = -log p_c + beta log(alpha + 1 - p_c)
    dL/dz        = g(p_c) (p - e_c),      g(p) = 1 + beta p / (alpha + 1 - p)

The gradient points where cross-entropy's points and is longer by g, which grows from 1 (p_c = 0) to 1 + beta/alpha (p_c
= 1): easy samples are weighted up, the opposite of focal loss. (Eq. 14 and 15 as printed in arXiv 1912.11642 v1 have
the opposite sign; autograd of eq. 11, and the authors' code, follow the line above. See `PaperEq14Loss`.) Two facts
make the code small:

* it is a function of ce = -log p_c alone, so `F.cross_entropy` supplies kernels, stability and every option;
* autograd through that function is the gain g: no backward of our own, and only one number per sample beyond
cross-entropy.

For alpha near 0 the ratio's logarithm is taken from the competitors' log-sum-exp instead, since 1 - p_c underflows
there.
"""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_at_least, require_options, require_weight
from finegrained_crl.losses.log_complement import log_complement
from finegrained_crl.losses.options import PyTorchOptions
from finegrained_crl.losses.reduction import (
    class_axis,
    reduce_class_losses,
    reduce_function_of_cross_entropy,
    to_full_precision,
)
from finegrained_crl.losses.softmax_loss import SoftmaxLoss

# Below this alpha the rounding of 1 - p_c in float32 shows in the ratio; above it the two branches agree.
SMALL_ALPHA = 1e-3


def competing_ratio_loss(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.5,
    beta: float = 1.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    subtract_floor: bool = False,
) -> Tensor:
    """Compute -log p_c + beta log(alpha + 1 - p_c), with the targets and options of `F.cross_entropy`.

    A distribution q as target gives sum_k q_k L(z, k), so mixup by target and mixup by loss agree; beta = 0 is
    `F.cross_entropy` itself, bit for bit.

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
        target: int64 class indices in the logits' shape without the class axis, or float probabilities in the logits'
            shape.
        alpha: >= 0; bounds the gain at 1 + beta/alpha. 0 (with beta = 1: NLLR) has no bound and needs two classes or
            more.
        beta: >= 0; weight of the ratio term.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
        subtract_floor: subtract the lower bound beta log(alpha), 0.405 at the defaults, so that the loss tends to 0;
            the gradient does not change. With alpha = 0 there is no bound and nothing is subtracted.
    Returns:
        float, scalar for "mean" and "sum", the target's shape (without classes) for "none"; in [beta log(alpha), inf).
        Half-precision logits give a float32 loss. Where every row is ignored or the batch is empty, "mean" is NaN as in
        PyTorch.
    Raises:
        ValueError: alpha or beta is negative, a shape disagrees, `weight` is not one factor per class, or alpha = 0
            meets a single class.
    Source: Zhang, Guo, Wang, Chang, Zhao, Ma, Han, 2019, Competing Ratio Loss for Discriminative Multi-class Image
        Classification, eq. 11. Targets other than one class are our extension (docs/losses.md).

    >>> competing_ratio_loss(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0]))
    tensor(0.6744)
    """
    check_settings(alpha, beta)
    require_options(reduction, label_smoothing)
    if beta == 0:
        require_weight(weight, logits.shape[class_axis(logits)])
        return F.cross_entropy(
            logits, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
    return ratio_loss(logits, target, alpha, beta, subtract_floor, weight, ignore_index, reduction, label_smoothing)


class CompetingRatioLoss(SoftmaxLoss):
    """Drop-in replacement of `torch.nn.CrossEntropyLoss`; `competing_ratio_loss` as a module.

    -log p_c + beta log(alpha + 1 - p_c): see `competing_ratio_loss` for targets, shapes and range.

    Args:
        alpha: >= 0; bounds the gain at 1 + beta/alpha. 1.5 is the paper's choice.
        beta: >= 0; weight of the ratio term. 1 is the paper's choice, 0 is cross-entropy.
        subtract_floor: subtract beta log(alpha), so that the loss tends to 0; the gradient does not change.
    Raises:
        ValueError: alpha or beta is negative, or an option is outside its allowed values.
    Source: Zhang, Guo, Wang, Chang, Zhao, Ma, Han, 2019, Competing Ratio Loss for Discriminative Multi-class Image
        Classification, eq. 11.

    >>> criterion = CompetingRatioLoss()
    >>> criterion(torch.zeros(2, 8), torch.tensor([5, 0]))
    tensor(2.9444)
    """

    def __init__(
        self, alpha: float = 1.5, beta: float = 1.0, *, subtract_floor: bool = False, **options: Unpack[PyTorchOptions]
    ) -> None:
        check_settings(alpha, beta)
        super().__init__(**options)
        self.alpha, self.beta, self.subtract_floor = alpha, beta, subtract_floor
        _warn_where_surprising(alpha, beta)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss; arguments as for `SoftmaxLoss.forward`."""
        if self.beta == 0:
            return super().forward(input, target)
        return ratio_loss(input, target, self.alpha, self.beta, self.subtract_floor, **self.pytorch_options())


def ratio_loss(
    logits: Tensor,
    target: Tensor,
    alpha: float,
    beta: float,
    subtract_floor: bool,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Tensor:
    """Evaluate the loss for beta of either sign; `PaperEq14Loss` is the same formula at -beta. Arguments are not
    checked.
    """
    if alpha >= SMALL_ALPHA:
        term = partial(of_cross_entropy, alpha=alpha, beta=beta, subtract_floor=subtract_floor)
        return reduce_function_of_cross_entropy(logits, target, term, weight, ignore_index, reduction, label_smoothing)
    losses = competing_ratio_losses(logits, alpha, beta, subtract_floor=subtract_floor)
    return reduce_class_losses(losses, target, weight, ignore_index, reduction, label_smoothing)


def competing_ratio_losses(
    logits: Tensor, alpha: float = 1.5, beta: float = 1.0, *, subtract_floor: bool = False
) -> Tensor:
    """Compute -log p_k + beta log(alpha + 1 - p_k) for every class k, as material for targets of one's own.

    Args:
        logits: float, (num_classes,) or (batch, num_classes, ...), before the softmax.
        alpha: >= 0, as in `competing_ratio_loss`.
        beta: as in `competing_ratio_loss`; not checked here.
        subtract_floor: subtract beta log(alpha).
    Returns:
        float (float32 for half-precision logits), the logits' shape.
    Raises:
        ValueError: alpha = 0 meets a single class.

    >>> competing_ratio_losses(torch.zeros(2))
    tensor([1.3863, 1.3863])
    """
    axis = class_axis(logits)
    if alpha == 0 and logits.shape[axis] < 2:
        raise ValueError(
            "alpha = 0 needs at least 2 classes, got 1: without a competitor the loss is -inf; use alpha > 0"
        )
    log_p = F.log_softmax(to_full_precision(logits), axis)
    if alpha >= SMALL_ALPHA:
        return of_cross_entropy(-log_p, alpha, beta, subtract_floor)
    log_ratio = log_complement(log_p, axis)
    if alpha > 0:  # alpha + 1 - p = alpha p + (1 + alpha)(1 - p), summed in log space
        floor = math.log(alpha)
        log_ratio = torch.logaddexp(log_p + floor, log_ratio + math.log1p(alpha)) - (floor if subtract_floor else 0.0)
    return torch.add(-log_p, log_ratio, alpha=beta)


def of_cross_entropy(ce: Tensor, alpha: float, beta: float, subtract_floor: bool) -> Tensor:
    """Evaluate the loss from ce = -log p, elementwise; arguments are not checked.

    Against the floor 1 - p is taken by expm1, so that the result reaches 0. Otherwise alpha + 1 - exp(-ce) is as exact,
    because ce itself carries the rounding of 1 - p, and its backward is one operation shorter.
    """
    ratio = (
        torch.log1p(torch.expm1(-ce) * (-1 / alpha))
        if subtract_floor
        else torch.log(torch.rsub(torch.exp(-ce), alpha + 1))
    )
    return torch.add(ce, ratio, alpha=beta)


def check_settings(alpha: float, beta: float) -> None:
    """Refuse an alpha or a beta below 0."""
    require_at_least("alpha", alpha, 0)
    require_at_least("beta", beta, 0)


def _warn_where_surprising(alpha: float, beta: float) -> None:
    """Tell of settings that work but lack a property that people count on (losses.md 1.4, 1.5)."""
    if beta > 1 + alpha:
        warnings.warn(
            f"beta = {beta} is above 1 + alpha = {1 + alpha}: the loss is not convex in the logits",
            UserWarning,
            stacklevel=3,
        )
    elif alpha < math.sqrt(beta):
        warnings.warn(
            f"alpha = {alpha} is below sqrt(beta) = {math.sqrt(beta):.4g}: probabilities cannot be recovered from this"
            " loss (`crl_link` has no inverse) and the most likely class may not win",
            UserWarning,
            stacklevel=3,
        )
