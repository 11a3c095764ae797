"""CRL towards SORD targets: the competing ratio for ordered classes.

    L(z, y) = sum_k q_k L_CRL(z, k),     q = softmax_k(-scale * phi(k, y))

CRL on soft targets is linear in them, so this is CRL's average over the neighbours. It sharpens: the softmax that minimises it is more
peaked than q (losses.md 1.6), which `crl_link` undoes.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.competing_ratio import competing_ratio_losses
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.ordinal_targets import Distance, expected_losses, sord_targets


def crl_sord_loss(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.5,
    beta: float = 1.0,
    scale: float = 1.0,
    distance: Distance = "absolute",
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute CRL towards the SORD targets of `sord_targets`.

    sum_k q_k (-log p_k + beta log(alpha + 1 - p_k)) with q the row of the label; beta = 0 is SORD.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes); or float, (batch, num_classes), a mixture of labels (mixup).
        alpha: >= 0, as in `competing_ratio_loss`.
        beta: >= 0, as in `competing_ratio_loss`.
        scale: >= 0; sharpness of the targets.
        distance: "absolute" |k - y| or "squared" (k - y)^2.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none".
    Raises:
        ValueError: alpha, beta or scale is negative, distance is unknown, or a shape disagrees.
    Source: ours, from Zhang et al., 2019, arXiv 1912.11642, eq. 11, and Díaz, Marathe, 2019, Soft labels for ordinal regression, eq. 1.

    >>> import torch
    >>> crl_sord_loss(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.8718)
    """
    require_options(reduction, 0.0)
    losses = competing_ratio_losses(logits, alpha, beta)
    return expected_losses(losses, target, sord_targets(logits.shape[1], scale, distance), weight, ignore_index, reduction)


class CompetingRatioSORDLoss(OrdinalLoss):
    """CRL towards SORD targets, `crl_sord_loss` as a module.

    Args:
        alpha: >= 0, as in `competing_ratio_loss`.
        beta: >= 0, as in `competing_ratio_loss`.
        scale: >= 0; sharpness of the targets.
        distance: "absolute" |k - y| or "squared" (k - y)^2.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: alpha, beta or scale is negative, distance is unknown, or an option is outside its allowed values.
    Source: ours, from Zhang et al., 2019, arXiv 1912.11642, eq. 11, and Díaz, Marathe, 2019, Soft labels for ordinal regression, eq. 1.

    >>> CompetingRatioSORDLoss(alpha=2.0)
    CompetingRatioSORDLoss(alpha=2.0, beta=1.0, scale=1.0, distance='absolute')
    """

    summary: ClassVar[str] = "CRL for ordered classes, towards SORD targets"
    takes_soft_targets: ClassVar[bool] = True

    def __init__(
        self,
        alpha: float = 1.5,
        beta: float = 1.0,
        scale: float = 1.0,
        distance: Distance = "absolute",
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        require_at_least("alpha", alpha, 0)
        require_at_least("beta", beta, 0)
        sord_targets(2, scale, distance)  # refuses bad settings now, not at the first batch
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        self.alpha, self.beta, self.scale, self.distance = alpha, beta, scale, distance

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against the target."""
        return crl_sord_loss(input, target, self.alpha, self.beta, self.scale, self.distance, **self.pytorch_options())
