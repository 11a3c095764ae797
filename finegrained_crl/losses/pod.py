"""POD loss: norm-adapted cosines to fixed centroids, and uncorrelated residuals.

With u_k the centroids of `pedcc_centroids`, f the features, R the rows f/||f|| - u_y of the batch (B rows, D columns):

    NaC = mean_i (1 - f_i . u_{y_i} / sqrt(||f_i||^2 + delta^2))^2
    SC  = sum_{a != b} Cov_ab^2 / (D - 1),     Cov = R^T R / (B - 1)
    L   = NaC + SC

delta rewards a large norm: it starts at 0.05 and becomes 0.01 * t * (mean norm of the scores U f over epoch t), t = 1,
2, ... after each epoch; call `end_epoch()` for that. There is no softmax in training: classes are ranked by u_k . f,
and probability metrics need a temperature on top.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.centroids import pedcc_centroids
from finegrained_crl.losses.checks import require_above
from finegrained_crl.losses.reduction import to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


def norm_adaptive_cosine(features: Tensor, own: Tensor, delta: Tensor | float) -> Tensor:
    """Compute mean_i (1 - f_i . u_i / sqrt(||f_i||^2 + delta^2))^2.

    Args:
        features: float, (batch, feature_dim).
        own: float, (batch, feature_dim), each row's own centroid.
        delta: > 0, scalar.
    Returns:
        float, scalar, in [0, 4].
    """
    norm = (features.square().sum(1) + delta**2).sqrt()
    return (1 - (features * own).sum(1) / norm).square().mean()


def self_correlation(features: Tensor, own: Tensor) -> Tensor:
    """Compute sum_{a != b} Cov_ab^2 / (D - 1) of the residuals f/||f|| - u.

    Args:
        features: float, (batch, feature_dim).
        own: float, (batch, feature_dim), each row's own centroid.
    Returns:
        float, scalar, >= 0; 0 for a batch of one, which has no covariance.
    """
    batch, dim = features.shape
    residuals = F.normalize(features, dim=1) - own
    covariance = residuals.T @ residuals / max(batch - 1, 1)
    off_diagonal = covariance.square().sum() - covariance.diagonal().square().sum()
    return off_diagonal / (dim - 1) if batch > 1 else off_diagonal * 0


def pod_loss(features: Tensor, target: Tensor, centroids: Tensor, delta: Tensor | float = 0.05) -> Tensor:
    """Compute NaC + SC of a batch of features.

    Args:
        features: float, (batch, feature_dim), not normalised.
        target: int64, (batch,), class index in [0, num_classes).
        centroids: float, (num_classes, feature_dim), rows of norm 1.
        delta: > 0, see above.
    Returns:
        float, scalar, >= 0.
    Source: Zhu, Zu, 2021, arXiv 2111.15449, as in the released code of February 2023 (TianYuZu/POD-Loss). That code
        divides by zero for a batch of one; here the covariance term is 0.
    """
    scores, own = to_full_precision(features), centroids[target]
    return norm_adaptive_cosine(scores, own, delta) + self_correlation(scores, own)


class PODLoss(ShowsSettings):
    """POD loss with its centroids and its delta, `pod_loss` as a module; classification is by u_k . f.

    Args:
        num_classes: number of classes, at least 2.
        feature_dim: size of the features, at least 2.
        delta: > 0; start value of the norm term. 0.05 is the released setting.
        delta_rate: > 0; growth per epoch at `end_epoch()`. 0.01 is the released setting.
        seed: of the centroids' random rotation.
    Raises:
        ValueError: a setting lies outside its range.
    Source: as for `pod_loss`.

    >>> PODLoss(num_classes=10, feature_dim=64)
    PODLoss(num_classes=10, feature_dim=64, delta=0.05, delta_rate=0.01, seed=0)
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "classifier"
    centroids: Tensor
    state: Tensor

    def __init__(
        self, num_classes: int, feature_dim: int, delta: float = 0.05, delta_rate: float = 0.01, seed: int = 0
    ) -> None:
        require_above("delta", delta, 0)
        require_above("delta_rate", delta_rate, 0)
        super().__init__()
        self.num_classes, self.feature_dim, self.delta_rate, self.seed = num_classes, feature_dim, delta_rate, seed
        self.register_buffer("centroids", pedcc_centroids(num_classes, feature_dim, seed))
        # delta, finished epochs, sum of score norms, number of samples in this epoch: saved together, so that a resumed
        # run continues.
        self.register_buffer("state", torch.tensor([delta, 0.0, 0.0, 0.0]))

    @property
    def delta(self) -> float:
        """Current delta, rounded to the digits that float32 holds."""
        return round(float(self.state[0]), 7)

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of features (batch, feature_dim) against class indices (batch,)."""
        if self.training:
            with torch.no_grad():
                norms = self.scores(features).norm(dim=1)
                self.state += torch.stack(
                    [norms.new_zeros(()), norms.new_zeros(()), norms.sum(), norms.new_tensor(len(norms))]
                )
        return pod_loss(features, target, self.centroids, self.state[0].clone())

    def scores(self, features: Tensor) -> Tensor:
        """Give u_k . f, (batch, num_classes): as logits they are uncalibrated, fit a temperature before reading
        probabilities.
        """
        return to_full_precision(features) @ self.centroids.T

    def end_epoch(self) -> None:
        """Set delta = delta_rate * t * (mean score norm of the epoch that ends), t counted from 1."""
        _, epochs, total, count = self.state.tolist()
        if count:
            self.state.copy_(
                self.state.new_tensor([self.delta_rate * (epochs + 1) * total / count, epochs + 1, 0.0, 0.0])
            )
