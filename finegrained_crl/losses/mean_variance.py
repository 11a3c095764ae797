"""Mean-variance loss: cross-entropy, the error of the expected label, and the spread around it.

L(z, y) = CE(z, y) + lambda_1 / 2 (mu - y)^2 + lambda_2 v,     mu = sum_k k p_k,   v = sum_k p_k (k - mu)^2
dL/dz_j = (p - e_y)_j + p_j [lambda_1 (mu - y)(j - mu) + lambda_2 ((j - mu)^2 - v)]
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_at_least
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_loss import OrdinalRowLoss


class MeanVarianceLoss(OrdinalRowLoss):
    """Mean-variance loss: CE + lambda_1 / 2 (mu - y)^2 + lambda_2 v.

    mu and v are the mean and the variance of the predicted distribution over class indices.

    Args:
        lambda_1: >= 0; weight of the mean's error. From memory of the paper.
        lambda_2: >= 0; weight of the variance. From memory of the paper.
    Raises:
        ValueError: a weight is negative, or an option is outside its allowed values.
    Source: Pan, Han, Shan, Chen, 2018, Mean-variance loss for deep age estimation from a face, eq. 1 to 5.

    >>> MeanVarianceLoss()(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.1319)
    """

    def __init__(self, lambda_1: float = 0.2, lambda_2: float = 0.05, **options: Unpack[RowOptions]) -> None:
        require_at_least("lambda_1", lambda_1, 0)
        require_at_least("lambda_2", lambda_2, 0)
        super().__init__(**options)
        self.lambda_1, self.lambda_2 = lambda_1, lambda_2

    def row_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of each row."""
        p, classes = logits.softmax(dim=1), torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
        mean = p @ classes
        variance = (p * (classes - mean.unsqueeze(1)).square()).sum(1)
        ce = F.cross_entropy(logits, labels, ignore_index=self.ignore_index, reduction="none")
        return ce + self.lambda_1 / 2 * (mean - labels.to(logits.dtype)).square() + self.lambda_2 * variance
