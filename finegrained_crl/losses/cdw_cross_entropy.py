"""Class-distance-weighted cross-entropy: far classes are told to be absent more strongly.

    L(z, y) = -sum_k |k - y|^alpha log(1 - p_k)

The true class enters only through the others (its weight is 0). log(1 - p_k) is taken in log space: dlordinal's
`CDWCELoss` exponentiates raw logits and gives NaN from a logit of about 90 on, which is why it is not wrapped.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_above, require_classes
from finegrained_crl.losses.log_complement import log_complement
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_loss import OrdinalRowLoss


class CDWCrossEntropyLoss(OrdinalRowLoss):
    """Class-distance-weighted cross-entropy: -sum_k |k - y|^alpha log(1 - p_k).

    alpha = 0 would weight all wrong classes alike; large alpha cares for far ones only.

    Args:
        alpha: > 0; growth of the weight with the distance. About 5 in the paper (from memory); dlordinal's default is
            0.5.
    Raises:
        ValueError: alpha is not positive, or an option is outside its allowed values.
    Source: Polat, Ergenc, Kani, Alahdab et al., 2022, Class distance
        weighted cross-entropy loss for ulcerative colitis severity estimation.

    >>> CDWCrossEntropyLoss(alpha=1.0)(torch.zeros(1, 3), torch.tensor([0]))
    tensor(1.2164)
    """

    def __init__(self, alpha: float = 5.0, **options: Unpack[RowOptions]) -> None:
        require_above("alpha", alpha, 0)
        super().__init__(**options)
        self.alpha = alpha

    def row_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of each row."""
        require_classes(logits.shape[1])
        absent = -log_complement(F.log_softmax(logits, dim=1), 1)
        classes = torch.arange(logits.shape[1], device=logits.device, dtype=absent.dtype)
        places = labels.where(labels != self.ignore_index, 0).to(absent.dtype)
        return ((classes - places.unsqueeze(1)).abs() ** self.alpha * absent).sum(1)
