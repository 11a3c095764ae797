"""DCL's network: a backbone, and three heads on its maps: class, swap (destroyed or not) and construction."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.training.backbone import Backbone
from finegrained_crl.training.method import FineGrainedModel, ModelSpec, Outputs
from finegrained_crl_plugins.dcl.construction import ConstructionHead, Law

Swap = Literal["2c", "2"]


class DCLOutputs(NamedTuple):
    """What the three heads say.

    Attributes:
        logits: float, (batch, num_classes).
        features: float, (batch, channels), pooled maps; class and swap head both see them.
        swap: float, (batch, 2 * num_classes) or (batch, 2).
        law: float, (batch, law channels * grid * grid).
    """

    logits: Tensor
    features: Tensor
    swap: Tensor
    law: Tensor


class DCLModel(FineGrainedModel):
    """A timm backbone with DCL's heads, without biases in the linear ones as in the public code.

    Args:
        spec: backbone, classes, weights.
        grid: blocks per side.
        swap: outputs of the swap head: "2c" (class, twice: intact or destroyed) or "2" (intact or destroyed).
        law: what the construction head says of each block.
    """

    def __init__(self, spec: ModelSpec, *, grid: int, swap: Swap, law: Law) -> None:
        super().__init__()
        self.backbone = Backbone(spec)
        self.mean, self.std, self.notes = self.backbone.mean, self.backbone.std, self.backbone.notes
        self.num_classes, self.feature_dim = spec.num_classes, self.backbone.channels
        self.drop_rate = spec.drop_rate
        self.classifier = nn.Linear(self.feature_dim, spec.num_classes, bias=False)
        self.swap = nn.Linear(self.feature_dim, 2 * spec.num_classes if swap == "2c" else 2, bias=False)
        self.construction = ConstructionHead(self.feature_dim, grid, law)

    def forward(self, images: Tensor) -> DCLOutputs:
        """All three heads on normalised images, (batch, 3, height, width)."""
        maps = self.backbone(images)
        features = self._pooled(maps)
        return DCLOutputs(self.classifier(features), features, self.swap(features), self.construction(maps))

    def classify(self, images: Tensor) -> tuple[Outputs, Outputs]:
        """Class and swap head alone, which is all that a test needs."""
        features = self._pooled(self.backbone(images))
        return Outputs(self.classifier(features), features), Outputs(self.swap(features), features)

    def _pooled(self, maps: Tensor) -> Tensor:
        return F.dropout(maps.mean((2, 3)), self.drop_rate, self.training)

    def head_modules(self) -> list[nn.Module]:
        """All three heads."""
        return [self.classifier, self.swap, self.construction]

    def cam_module(self) -> nn.Module:
        """The backbone, whose output is the map that all heads see."""
        return self.backbone.maps
