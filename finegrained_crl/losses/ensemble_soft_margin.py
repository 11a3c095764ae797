"""Ensemble soft-margin softmax: several classifiers on one feature, each with a margin, kept different from each other.

    L = sum_v SM(W_v f, y) + lam sum_{u < v} HSIC(W_u, W_v)
    HSIC(W_u, W_v) = tr(K_u H K_v H) / (C - 1)^2,     K_v = W_v W_v^T,   H = I - 11^T/C

W_v is (C, D); SM is the soft-margin softmax. HSIC measures how alike two classifiers arrange the classes; it is >= 0,
and 0 where one of them treats all classes alike. At test time the classifiers' logits are averaged.

The abstract confirms soft margin, ensemble and HSIC; the exact combination is reconstructed, and the published number
of classifiers,
margin and lam were not available to us: the defaults are ours.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import ClassVar

import torch
from torch import Tensor, nn

from finegrained_crl.losses.checks import require_at_least, require_classes, require_options
from finegrained_crl.losses.reduction import reduce_function_of_cross_entropy
from finegrained_crl.losses.soft_margin import check_margin, with_margin
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


def hsic(first: Tensor, second: Tensor) -> Tensor:
    """Compute the empirical Hilbert-Schmidt independence criterion of two classifiers, with linear kernels.

    tr(K_1 H K_2 H) / (C - 1)^2. With centred weights A = H W_1, B = H W_2 this is ||A^T B||_F^2 / (C - 1)^2, which
    needs no C x C matrix.

    Args:
        first: float, (num_classes, feature_dim), one classifier's weights.
        second: float, (num_classes, feature_dim), the other's.
    Returns:
        float, scalar, >= 0.
    Source: Gretton, Bousquet, Smola, Schölkopf, 2005, Measuring statistical dependence with Hilbert-Schmidt norms, eq.
        9.

    >>> hsic(torch.eye(2), torch.eye(2))
    tensor(1.)
    """
    centred = first - first.mean(0), second - second.mean(0)
    return (centred[0].T @ centred[1]).square().sum() / (len(first) - 1) ** 2


class EnsembleSoftMarginLoss(ShowsSettings):
    """Several soft-margin softmax classifiers on one feature, with a penalty on their likeness.

    Args:
        num_classes: number of classes, at least 2.
        feature_dim: size of the features.
        num_heads: number of classifiers, at least 1. 2 is our choice.
        margin: in [0, 80], in logits; as in `SoftMarginSoftmaxLoss`. 0.5 is our choice.
        lam: >= 0; weight of the likeness. 0.1 is our choice.
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: a setting lies outside its range.
    Source: Reconstructed after Wang, Zhang, Lei, Liu, Wang, Li, 2018, Ensemble soft-margin softmax loss for image
        classification (arXiv 1805.03922).

    >>> EnsembleSoftMarginLoss(num_classes=10, feature_dim=64)
    EnsembleSoftMarginLoss(
      num_classes=10, feature_dim=64, num_heads=2, margin=0.5, lam=0.1, label_smoothing=0.0
      (heads): ModuleList(
        (0-1): 2 x Linear(in_features=64, out_features=10, bias=False)
      )
    )
    """

    takes_soft_targets: ClassVar[bool] = True
    needs: ClassVar[Needs] = "classifier"

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        num_heads: int = 2,
        margin: float = 0.5,
        lam: float = 0.1,
        label_smoothing: float = 0.0,
    ) -> None:
        require_classes(num_classes)
        require_at_least("num_heads", num_heads, 1)
        check_margin(margin)
        require_at_least("lam", lam, 0)
        require_options("mean", label_smoothing)
        super().__init__()
        self.num_classes, self.feature_dim, self.num_heads = num_classes, feature_dim, num_heads
        self.margin, self.lam, self.label_smoothing = margin, lam, label_smoothing
        self.heads = nn.ModuleList(nn.Linear(feature_dim, num_classes, bias=False) for _ in range(num_heads))

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of features (batch, feature_dim) against class indices (batch,) or probabilities (batch,
        num_classes).
        """
        losses = [self._soft_margin(head(features), target) for head in self.heads]
        weights = [torch.as_tensor(head.weight) for head in self.heads]
        alike = [hsic(first, second) for first, second in combinations(weights, 2)]
        return torch.stack(losses).sum() + self.lam * (torch.stack(alike).sum() if alike else 0.0)

    def _soft_margin(self, logits: Tensor, target: Tensor) -> Tensor:
        term = partial(with_margin, margin=self.margin)
        return reduce_function_of_cross_entropy(logits, target, term, label_smoothing=self.label_smoothing)

    def scores(self, features: Tensor) -> Tensor:
        """Average the classifiers' logits, (batch, num_classes)."""
        return torch.stack([head(features) for head in self.heads]).mean(0)
