"""Squared earth mover's distance (ranked probability score) for ordered classes.

    L(z, y)  = sum_k (P_k - 1[y <= k])^2,     P_k = sum_{j <= k} p_j
    dL/dz_j  = p_j (d_j - sum_k p_k d_k),     d_j = 2 sum_{k >= j} (P_k - 1[y <= k])

A proper score that counts how far probability has to be moved; the gradient vanishes for confident wrong answers, as
for every loss on probabilities.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finegrained_crl.losses.ordinal_loss import OrdinalRowLoss


class SquaredEMDLoss(OrdinalRowLoss):
    """Squared earth mover's distance: sum_k (P_k - 1[y <= k])^2, in [0, num_classes - 1].

    Raises:
        ValueError: the reduction is unknown.
    Source: Hou, Yu, Samaras, 2016, Squared earth mover's distance-based loss for training deep neural networks.

    >>> SquaredEMDLoss()(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.2500)
    """

    def row_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the squared distance between the cumulative distributions of prediction and label."""
        predicted = logits.softmax(dim=1).cumsum(dim=1)
        reached = torch.arange(logits.shape[1], device=logits.device) >= labels.unsqueeze(1)
        return (predicted - reached.to(predicted.dtype)).square().sum(1)
