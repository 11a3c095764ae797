"""CORN: ordered classes as a chain of conditional questions. From coral-pytorch.

K - 1 logits s_k answer "y > k, given y > k - 1?"; question k is asked only of samples with y > k - 1:

    L = (sum of the binary cross-entropies of all questions asked) / (number of questions asked)
    P(y > k) = prod_{j <= k} sigmoid(s_j),     P(y = k) = P(y > k - 1) (1 - sigmoid(s_k))

P(y > k) falls with k whatever the weights are.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_classes
from finegrained_crl.losses.optional import import_optional
from finegrained_crl.losses.reduction import to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


class CORNLoss(ShowsSettings):
    """CORN with its classifier, `coral_pytorch.losses.corn_loss` on a linear layer.

    Args:
        num_classes: number of ordered classes, at least 2.
        feature_dim: size of the features.
    Raises:
        ValueError: fewer than 2 classes.
        ModuleNotFoundError: coral-pytorch is not installed.
    Source: Shi, Cao, Raschka, 2021, Deep neural networks for rank-consistent ordinal regression based on conditional
        probabilities.
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "classifier"

    def __init__(self, num_classes: int, feature_dim: int) -> None:
        require_classes(num_classes)
        import_optional("coral_pytorch.losses")  # a missing library is told now, not at the first batch
        super().__init__()
        self.num_classes, self.feature_dim = num_classes, feature_dim
        self.layer = nn.Linear(feature_dim, num_classes - 1)

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of features (batch, feature_dim) against labels (batch,)."""
        steps = to_full_precision(self.layer(features))
        loss: Tensor = import_optional("coral_pytorch.losses").corn_loss(steps, target, self.num_classes)
        return loss

    def scores(self, features: Tensor) -> Tensor:
        """Give log P(y = k), (batch, num_classes); rows of probabilities sum to 1 exactly."""
        steps = to_full_precision(self.layer(features))
        reached = F.pad(F.logsigmoid(steps).cumsum(dim=1), (1, 0))  # log P(y > k - 1)
        stopped = F.pad(F.logsigmoid(-steps), (0, 1))  # log(1 - sigmoid(s_k)); the last class stops for certain
        return reached + stopped
