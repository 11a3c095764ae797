"""CORAL: ordered classes as "older than group k?" questions that share one direction. From coral-pytorch.

K - 1 logits s_k = w . f + b_k answer y > k with one weight vector and separate biases:

    L = -sum_k { log sigmoid(s_k) where y > k, log(1 - sigmoid(s_k)) elsewhere }

While b falls with k, P(y > k) = sigmoid(s_k) falls too, and P(y = k) is the difference of two neighbours. The paper
decides by counting the questions answered yes (a median); evaluation by the highest of `scores` (a mode) may differ.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_classes
from finegrained_crl.losses.optional import import_optional
from finegrained_crl.losses.reduction import to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings

SMALLEST_GAP, CERTAIN = 1e-6, 1e4


class CORALLoss(ShowsSettings):
    """CORAL with its classifier, `coral_pytorch`'s layer and loss.

    Args:
        num_classes: number of ordered classes, at least 2.
        feature_dim: size of the features.
    Raises:
        ValueError: fewer than 2 classes.
        ModuleNotFoundError: coral-pytorch is not installed.
    Source: Cao, Mirjalili, Raschka, 2020, Rank consistent ordinal regression for neural networks with application to
        age estimation.
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "classifier"

    def __init__(self, num_classes: int, feature_dim: int) -> None:
        require_classes(num_classes)
        super().__init__()
        self.num_classes, self.feature_dim = num_classes, feature_dim
        self.layer: nn.Module = import_optional("coral_pytorch.layers").CoralLayer(feature_dim, num_classes)

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of features (batch, feature_dim) against labels (batch,)."""
        steps = to_full_precision(self.layer(features))
        levels = (target.unsqueeze(1) > torch.arange(self.num_classes - 1, device=target.device)).to(steps.dtype)
        loss: Tensor = import_optional("coral_pytorch.losses").coral_loss(steps, levels)
        return loss

    def scores(self, features: Tensor) -> Tensor:
        """Give log P(y = k), (batch, num_classes).

        sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)) keeps its digits in log space; biases that have
        not found their order yet leave the class between them next to nothing instead of a negative probability.
        """
        steps = to_full_precision(self.layer(features))
        upper, lower = (
            F.pad(steps, (1, 0), value=CERTAIN),
            F.pad(steps, (0, 1), value=-CERTAIN),
        )  # P(y > -1) = 1, P(y > K - 1) = 0
        gap = torch.log(-torch.expm1(-(upper - lower).clamp_min(SMALLEST_GAP)))
        return F.log_softmax(F.logsigmoid(upper) + F.logsigmoid(-lower) + gap, dim=1)
