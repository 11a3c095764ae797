"""SORD: cross-entropy towards soft ordinal targets.

    L(z, y) = -sum_k q_k log p_k,     q = softmax_k(-scale * phi(k, y)),     dL/dz = p - q

dlordinal computes the same value (its `SORDLoss`, the oracle of our test); this form also takes mixtures, weights and
ignored labels.
"""

from __future__ import annotations

from typing import Unpack

from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_loss import OrdinalTargetLoss
from finegrained_crl.losses.ordinal_targets import Distance, sord_targets


class SORDLoss(OrdinalTargetLoss):
    """SORD: cross-entropy towards targets that fall with the distance from the label.

    Args:
        scale: >= 0; sharpness of the targets.
        distance: "absolute" |k - y| or "squared" (k - y)^2.
    Raises:
        ValueError: scale is negative, distance is unknown, or an option is outside its allowed values.
    Source: Díaz, Marathe, 2019, Soft labels for ordinal regression, eq. 1 and 2.

    >>> import torch
    >>> SORDLoss()(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.0986)
    """

    def __init__(self, scale: float = 1.0, distance: Distance = "absolute", **options: Unpack[RowOptions]) -> None:
        sord_targets(2, scale, distance)  # refuses bad settings now, not at the first batch
        super().__init__(**options)
        self.scale, self.distance = scale, distance

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute -log p_k."""
        return -F.log_softmax(logits, dim=1)

    def targets(self, num_classes: int) -> Tensor:
        """Give `sord_targets`."""
        return sord_targets(num_classes, self.scale, self.distance)
