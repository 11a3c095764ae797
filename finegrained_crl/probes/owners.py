"""Heads whose loss brings a classifier of its own, as CORAL and CORN do: no columns of one matrix, but modules that see
the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from finegrained_crl.losses.catalogue import build_criterion, loss_class
from finegrained_crl.training.criteria import without_where
from finegrained_crl.training.recipe import Component


def needs_of(loss: Component) -> str:
    """What a loss is called with: "logits", "features" beside them, or "classifier": features, for the one inside."""
    return getattr(loss_class(loss.name), "needs", "logits")


def criterion_of(loss: Component, num_classes: int, features: int) -> Any:
    """The criterion of a head."""
    return build_criterion(loss.name, without_where(loss), num_classes=num_classes, feature_dim=features)


class Owners(nn.Module):
    """Linear heads that own their classifier.

    Args:
        losses: of each head.
        num_classes, features: of each head.
        seed: of the first weights, the same for all heads.
    """

    def __init__(self, losses: Sequence[Component], num_classes: int, features: int, seed: int) -> None:
        super().__init__()
        self._criteria: list[Any] = []
        for loss in losses:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._criteria.append(criterion_of(loss, num_classes, features))
        self.heads = nn.ModuleList(self._criteria)

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """The sum over heads of each one's mean over the batch, of float (batch, features) and int64 (batch,)."""
        return torch.stack([head(features, target) for head in self._criteria]).sum()

    def decayed(self) -> list[nn.Parameter]:
        """Matrices."""
        return [parameter for parameter in self.parameters() if parameter.ndim > 1]

    def others(self) -> list[nn.Parameter]:
        """Biases and thresholds."""
        return [parameter for parameter in self.parameters() if parameter.ndim == 1]

    def scores(self, features: Tensor) -> Tensor:
        """What the heads decide by, (batch, heads, classes)."""
        return torch.stack([head.scores(features) for head in self._criteria], dim=1)
