"""Center loss: cross-entropy, and features drawn towards a running centre of their class.

    L = CE(z, y) + (lam / 2) ||f - c_y||^2
    c_j <- c_j - alpha * sum_{i: y_i = j} (c_j - f_i) / (1 + n_j)      (n_j samples of class j in the batch)

The centres are a buffer: they follow the features by the second line instead of the optimiser, move with `.to()`, and
are saved with the module. They are updated in training mode only, from this process's batch; several processes keep
their own centres.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_at_least, require_options
from finegrained_crl.losses.reduction import reduce_rows, to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


def center_loss(
    features: Tensor, target: Tensor, centers: Tensor, reduction: str = "mean", ignore_index: int = -100
) -> Tensor:
    """Compute half the squared distance of each feature to its class's centre.

    ||f - c_y||^2 / 2, summed in float32 for half-precision features.

    Args:
        features: float, (batch, feature_dim).
        target: int64, (batch,), class index in [0, num_classes) or `ignore_index`.
        centers: float, (num_classes, feature_dim).
        reduction: "none", "mean" or "sum".
        ignore_index: class index that contributes neither value nor count.
    Returns:
        float, scalar, or (batch,) for "none"; >= 0.
    Raises:
        ValueError: the reduction is unknown.
    Source: Wen, Zhang, Li, Qiao, 2016, A discriminative feature learning approach for deep face recognition, eq. 2.
        There a sum over the batch, here its mean by default, so that `lam` does not depend on the batch size.

    >>> center_loss(torch.tensor([[3.0, 4.0]]), torch.tensor([0]), torch.zeros(1, 2))
    tensor(12.5000)
    """
    require_options(reduction, 0.0)
    own = centers[target.where(target != ignore_index, 0)]
    distances = (to_full_precision(features) - own).square().sum(1) / 2
    return reduce_rows(distances, target, None, ignore_index, reduction)


def moved_centers(centers: Tensor, features: Tensor, target: Tensor, alpha: float) -> Tensor:
    """Move each class's centre towards its features of this batch (the second line above).

    Args:
        centers: float, (num_classes, feature_dim).
        features: float, (batch, feature_dim).
        target: int64, (batch,); indices outside [0, num_classes) are left out.
        alpha: step, in [0, 1].
    Returns:
        float, (num_classes, feature_dim); classes that are not in the batch stay where they are.

    >>> moved_centers(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]), torch.tensor([0, 0]), alpha=0.5).tolist()
    [[0.6666666865348816], [0.0]]
    """
    member = (target == torch.arange(len(centers), device=target.device).unsqueeze(1)).to(
        centers.dtype
    )  # (num_classes, batch)
    count = member.sum(1, keepdim=True)
    return centers - alpha * (count * centers - member @ features.to(centers.dtype)) / (1 + count)


class CenterLoss(ShowsSettings):
    """Cross-entropy + (lam / 2) ||f - c_y||^2, with the centres kept inside.

    Args:
        num_classes: number of classes.
        feature_dim: size of the features.
        lam: >= 0; weight of the distance. 0.003 as in the paper's experiments (from memory of the literature).
        alpha: in [0, 1]; how fast the centres follow. 0.5 as in the paper (from memory of the literature).
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: lam is negative, or alpha lies outside [0, 1].
    Source: Wen, Zhang, Li, Qiao, 2016, A discriminative feature learning approach for deep face recognition, eq. 2 to
        5.

    >>> CenterLoss(num_classes=3, feature_dim=4)
    CenterLoss(num_classes=3, feature_dim=4, lam=0.003, alpha=0.5)
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "features"
    centers: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        lam: float = 0.003,
        alpha: float = 0.5,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        require_at_least("lam", lam, 0)
        require_at_least("alpha", alpha, 0)
        if alpha > 1:
            raise ValueError(f"alpha must be in [0, 1], got {alpha}; at 1 a centre jumps to the batch's mean")
        require_options(reduction, 0.0)
        super().__init__()
        self.num_classes, self.feature_dim, self.lam, self.alpha = num_classes, feature_dim, lam, alpha
        self.ignore_index, self.reduction = ignore_index, reduction
        self.register_buffer("centers", torch.zeros(num_classes, feature_dim))

    def forward(self, logits: Tensor, target: Tensor, features: Tensor) -> Tensor:
        """Compute the loss, then let the centres follow (training mode only).

        Args:
            logits: float, (batch, num_classes).
            target: int64, (batch,).
            features: float, (batch, feature_dim), the classifier's input.
        """
        ce = F.cross_entropy(
            to_full_precision(logits), target, ignore_index=self.ignore_index, reduction=self.reduction
        )
        distance = center_loss(features, target, self.centers, self.reduction, self.ignore_index)
        if self.training:
            with torch.no_grad():
                self.centers.copy_(moved_centers(self.centers, features, target, self.alpha))
        return ce + self.lam * distance
