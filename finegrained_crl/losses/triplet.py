"""Triplet loss beside cross-entropy: same class near, other classes farther by a margin. From pytorch-metric-learning.

    L = CE(z, y) + lam * mean over active triplets of max(0, ||f_a - f_p||^2 - ||f_a - f_n||^2 + margin),     ||f|| = 1

with semi-hard triplets mined inside the batch. Without a valid triplet the second term is 0. A batch needs classes with
two images or
more: with many classes and small batches use a sampler that draws several images per class.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.optional import import_optional
from finegrained_crl.losses.reduction import to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings

Mining = Literal["all", "easy", "semihard", "hard"]


class TripletLoss(ShowsSettings):
    """Cross-entropy + lam * triplet loss on normalised features.

    Args:
        margin: >= 0, in squared distance on the unit sphere. 0.2 is the paper's choice.
        lam: >= 0; weight of the triplet term. 1 is our choice: the paper trains on the triplet term alone.
        mining: "all", "easy", "semihard" (the paper's) or "hard" triplets of the batch.
        label_smoothing: of the cross-entropy, in [0, 1].
    Raises:
        ValueError: a setting lies outside its range.
        ModuleNotFoundError: pytorch-metric-learning is not installed.
    Source: Schroff, Kalenichenko, Philbin, 2015, FaceNet: a unified embedding for face recognition and clustering, eq.
        2.
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "features"

    def __init__(
        self, margin: float = 0.2, lam: float = 1.0, mining: Mining = "semihard", label_smoothing: float = 0.0
    ) -> None:
        require_at_least("margin", margin, 0)
        require_at_least("lam", lam, 0)
        require_options("mean", label_smoothing)
        if mining not in ("all", "easy", "semihard", "hard"):
            raise ValueError(f"mining must be one of all, easy, semihard, hard, got '{mining}'")
        super().__init__()
        self.margin, self.lam, self.mining, self.label_smoothing = margin, lam, mining, label_smoothing
        squared = import_optional("pytorch_metric_learning.distances").LpDistance(
            normalize_embeddings=True, p=2, power=2
        )
        self.miner: nn.Module = import_optional("pytorch_metric_learning.miners").TripletMarginMiner(
            margin=margin, type_of_triplets=mining, distance=squared
        )
        self.loss: nn.Module = import_optional("pytorch_metric_learning.losses").TripletMarginLoss(
            margin=margin, distance=squared
        )

    def forward(self, logits: Tensor, target: Tensor, features: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: float, (batch, num_classes).
            target: int64, (batch,).
            features: float, (batch, feature_dim), not normalised.
        """
        embeddings = to_full_precision(features)
        triplets: Tensor = self.loss(embeddings, target, self.miner(embeddings, target))
        return (
            F.cross_entropy(to_full_precision(logits), target, label_smoothing=self.label_smoothing)
            + self.lam * triplets
        )
