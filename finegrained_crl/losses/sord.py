"""SORD: cross-entropy towards soft ordinal targets.

    L(z, y) = -sum_k q_k log p_k,     q = softmax_k(-scale * phi(k, y)),     dL/dz = p - q

dlordinal computes the same value (its `SORDLoss`, the oracle of our test); this form also takes mixtures, weights and ignored labels.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_options
from finegrained_crl.losses.ordinal_loss import OrdinalLoss
from finegrained_crl.losses.ordinal_targets import Distance, expected_losses, sord_targets
from finegrained_crl.losses.reduction import to_full_precision


def sord_loss(
    logits: Tensor,
    target: Tensor,
    scale: float = 1.0,
    distance: Distance = "absolute",
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute the cross-entropy towards the SORD targets of `sord_targets`.

    -sum_k q_k log p_k with q the row of the label.

    Args:
        logits: float, (batch, num_classes), before the softmax, classes in their order.
        target: int64, (batch,), labels in [0, num_classes); or float, (batch, num_classes), a mixture of labels (mixup).
        scale: >= 0; sharpness of the targets.
        distance: "absolute" |k - y| or "squared" (k - y)^2.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Returns:
        float, scalar, or (batch,) for "none"; >= the entropy of q.
    Raises:
        ValueError: scale is negative, distance is unknown, or a shape disagrees.
    Source: Díaz, Marathe, 2019, Soft labels for ordinal regression, eq. 1 and 2.

    >>> import torch
    >>> sord_loss(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.0986)
    """
    require_options(reduction, 0.0)
    losses = -F.log_softmax(to_full_precision(logits), dim=1)
    return expected_losses(losses, target, sord_targets(logits.shape[1], scale, distance), weight, ignore_index, reduction)


class SORDLoss(OrdinalLoss):
    """SORD, `sord_loss` as a module: cross-entropy towards targets that fall with the distance from the label.

    Args:
        scale: >= 0; sharpness of the targets.
        distance: "absolute" |k - y| or "squared" (k - y)^2.
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: scale is negative, distance is unknown, or an option is outside its allowed values.
    Source: Díaz, Marathe, 2019, Soft labels for ordinal regression, eq. 1 and 2.

    >>> SORDLoss(scale=2.0)
    SORDLoss(scale=2.0, distance='absolute')
    """

    summary: ClassVar[str] = "SORD for ordered classes: cross-entropy towards targets that fall with the distance"
    takes_soft_targets: ClassVar[bool] = True

    def __init__(
        self,
        scale: float = 1.0,
        distance: Distance = "absolute",
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        sord_targets(2, scale, distance)  # refuses bad settings now, not at the first batch
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        self.scale, self.distance = scale, distance

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (batch, num_classes) against the target."""
        return sord_loss(input, target, self.scale, self.distance, **self.pytorch_options())
