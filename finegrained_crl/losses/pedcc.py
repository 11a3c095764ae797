"""PEDCC loss: cosine classification towards fixed, evenly distributed class centroids.

With u_k the centroids of `pedcc_centroids`, f the features and cos_k = f . u_k / ||f||:

    L = CE(s (cos - m e_y), y) + MSE(f / ||f||, u_y)^n

The first term is the additive-margin softmax on cosines, the second pulls the direction of f onto its centroid. The
centroids are a
buffer: nothing about the classifier is learnt but the features.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.centroids import pedcc_centroids
from finegrained_crl.losses.checks import require_above, require_at_least
from finegrained_crl.losses.reduction import reduce_function_of_cross_entropy, to_full_precision
from finegrained_crl.losses.soft_margin import HIGHEST_MARGIN, with_margin
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


def pedcc_loss(
    features: Tensor, target: Tensor, centroids: Tensor, scale: float = 7.5, margin: float = 0.35, power: float = 1.0
) -> Tensor:
    """Compute the margin softmax on cosines to fixed centroids plus the squared distance on the sphere.

    CE(s (cos - m e_y), y) + MSE(f / ||f||, u_y)^n with s = scale, m = margin, n = power.

    Args:
        features: float, (batch, feature_dim), not normalised.
        target: int64, (batch,), class index in [0, num_classes).
        centroids: float, (num_classes, feature_dim), rows of norm 1.
        scale: s, > 0.
        margin: m, >= 0, in cosines.
        power: n, > 0.
    Returns:
        float, scalar, >= 0: the mean over the batch (the square's mean runs over dimensions too, as in the released
        code).
    Source: Zhu, Yuan, Zhu, 2019, A new loss function for CNN classifier based on predefined evenly-distributed class
        centroids, and its released code (ZLeopard/PEDCC-Loss), whose CIFAR-100 settings are the defaults.
    """
    directions = F.normalize(to_full_precision(features), dim=1)
    # A margin on the scaled cosine of the true class is the soft-margin softmax with margin s m.
    term = partial(with_margin, margin=scale * margin)
    classification = reduce_function_of_cross_entropy(scale * (directions @ centroids.T), target, term)
    return classification + F.mse_loss(directions, centroids[target]) ** power


class PEDCCLoss(ShowsSettings):
    """PEDCC loss with its centroids; classification is by cosine.

    Args:
        num_classes: number of classes, at least 2.
        feature_dim: size of the features.
        scale: s, > 0; factor of the cosines. 7.5 is the released CIFAR-100 setting.
        margin: m, >= 0, in cosines. 0.35 is the released CIFAR-100 setting.
        power: n, > 0; exponent of the mean square. 1 is the released CIFAR-100 setting.
        seed: of the centroids' random rotation.
    Raises:
        ValueError: a setting lies outside its range.
    Source: as for `pedcc_loss`.

    >>> PEDCCLoss(num_classes=10, feature_dim=64)
    PEDCCLoss(num_classes=10, feature_dim=64, scale=7.5, margin=0.35, power=1.0, seed=0)
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "classifier"
    centroids: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        scale: float = 7.5,
        margin: float = 0.35,
        power: float = 1.0,
        seed: int = 0,
    ) -> None:
        require_above("scale", scale, 0)
        require_at_least("margin", margin, 0)
        require_above("power", power, 0)
        if scale * margin > HIGHEST_MARGIN:
            raise ValueError(f"scale * margin must be <= {HIGHEST_MARGIN:g}, got {scale * margin:g}; lower one of them")
        super().__init__()
        self.num_classes, self.feature_dim = num_classes, feature_dim
        self.scale, self.margin, self.power, self.seed = scale, margin, power, seed
        self.register_buffer("centroids", pedcc_centroids(num_classes, feature_dim, seed))

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of features (batch, feature_dim) against class indices (batch,)."""
        return pedcc_loss(features, target, self.centroids, self.scale, self.margin, self.power)

    def scores(self, features: Tensor) -> Tensor:
        """Give s cos_k, (batch, num_classes): the logits of the training softmax without its margin."""
        return self.scale * (F.normalize(to_full_precision(features), dim=1) @ self.centroids.T)
