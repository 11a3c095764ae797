"""DFL-CNN's network: the backbone to its end (G-stream), and a filter bank on a tapped map in its middle (P-stream,
side branch).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.training.backbone import Backbone
from finegrained_crl.training.method import FineGrainedModel, ModelSpec
from finegrained_crl_plugins.dfl.filter_bank import FilterBank, cross_channel_pooling

GlobalHead = Literal["linear", "repository"]


class DFLOutputs(NamedTuple):
    """What the three streams say.

    Attributes:
        whole: float, (batch, num_classes), of the G-stream.
        part: float, (batch, num_classes), of the P-stream.
        side: float, (batch, num_classes), of the side branch.
        features: float, (batch, channels), pooled maps of the G-stream.
        peaks: float, (batch, num_classes * filters), each filter's strongest response.
        places: int64, (batch, num_classes * filters), where in the tapped map.
    """

    whole: Tensor
    part: Tensor
    side: Tensor
    features: Tensor
    peaks: Tensor
    places: Tensor


class DFLModel(FineGrainedModel):
    """A timm backbone with a filter bank.

    Args:
        spec: backbone, classes, weights.
        filters: per class.
        tap: stride of the tapped map, 8, 16 or 32.
        nearest: take the nearest stride that the network has, where it has no such.
        global_head: G-stream's classifier: "linear" on pooled maps, or the public repository's 1 x 1 convolution, batch
            norm and ReLU before pooling.
    """

    def __init__(self, spec: ModelSpec, *, filters: int, tap: int, nearest: bool, global_head: GlobalHead) -> None:
        super().__init__()
        self.backbone = Backbone(spec, tap=tap, nearest=nearest)
        self.mean, self.std, self.notes = self.backbone.mean, self.backbone.std, self.backbone.notes
        self.num_classes, self.feature_dim, self.drop_rate = spec.num_classes, self.backbone.channels, spec.drop_rate
        self.bank = FilterBank(self.backbone.tap_channels, spec.num_classes, filters)
        self.part = nn.Linear(spec.num_classes * filters, spec.num_classes)
        self.whole = _global_head(global_head, self.feature_dim, spec.num_classes)

    def forward(self, images: Tensor) -> DFLOutputs:
        """All streams on normalised images, (batch, 3, height, width)."""
        maps, tapped = self.backbone.with_tap(images)
        peaks, places = self.bank(tapped)
        features = F.dropout(maps.mean((2, 3)), self.drop_rate, self.training)
        whole = self.whole(features) if isinstance(self.whole, nn.Linear) else self.whole(maps).mean((2, 3))
        part = self.part(F.dropout(peaks, self.drop_rate, self.training))
        return DFLOutputs(whole, part, cross_channel_pooling(peaks, self.bank.filters), features, peaks, places)

    def head_modules(self) -> list[nn.Module]:
        """Filter bank and both classifiers."""
        return [self.bank, self.part, self.whole]

    def cam_module(self) -> nn.Module:
        """The backbone, whose output is the G-stream's map."""
        return self.backbone.maps


def _global_head(kind: GlobalHead, channels: int, num_classes: int) -> nn.Module:
    if kind == "linear":
        return nn.Linear(channels, num_classes)
    return nn.Sequential(nn.Conv2d(channels, num_classes, kernel_size=1), nn.BatchNorm2d(num_classes), nn.ReLU())
