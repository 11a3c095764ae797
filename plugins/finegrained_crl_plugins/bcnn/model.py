"""The bilinear network: one or two streams of feature maps, pooled, normalised, classified."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finegrained_crl.training.backbone import Backbone
from finegrained_crl.training.method import FineGrainedModel, ModelSpec, Outputs
from finegrained_crl_plugins.bcnn.bilinear import bilinear_pool, normalised
from finegrained_crl_plugins.bcnn.matrix_sqrt import covariance, matrix_sqrt, upper_triangle
from finegrained_crl_plugins.bcnn.tensor_sketch import TensorSketch

Normalisation = Literal["signed-sqrt", "isqrt-cov"]
ClassifierInit = Literal["uniform", "kaiming-normal"]


class Descriptor(nn.Module):
    """Feature maps of two streams -> one normalised vector per image.

    Args:
        channels: of each stream.
        normalisation: "signed-sqrt" (signed square root, then L2) or "isqrt-cov" (matrix square root of one stream's
            covariance).
        compact_dim: size of the sketch, 0 for the whole matrix.
        epsilon: below the square root.
    Attributes:
        dim: length of the vector.
    """

    def __init__(
        self, channels: tuple[int, int], normalisation: Normalisation, compact_dim: int, epsilon: float
    ) -> None:
        super().__init__()
        self.normalisation, self.epsilon = normalisation, epsilon
        self.sketch = TensorSketch(*channels, compact_dim) if compact_dim else None
        self.dim = compact_dim or (
            channels[0] * (channels[0] + 1) // 2 if normalisation == "isqrt-cov" else channels[0] * channels[1]
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(batch, channels, height, width) twice -> (batch, dim)."""
        if self.normalisation == "isqrt-cov":
            return upper_triangle(matrix_sqrt(covariance(a)))
        pooled = bilinear_pool(a, b)
        return normalised(self.sketch(pooled) if self.sketch else pooled, self.epsilon)


class BilinearModel(FineGrainedModel):
    """B-CNN on timm backbones.

    Args:
        spec: backbone, classes, weights.
        second: the other stream's backbone and weights, None for one shared stream.
        tap: stride of the feature maps to pool.
        nearest: take the nearest stride that the network has, where it has no such.
        reduce: channels that a 1 x 1 convolution leaves before pooling, 0 for none.
        normalisation: see `Descriptor`.
        compact_dim: see `Descriptor`.
        epsilon: see `Descriptor`.
        classifier_init: "uniform" as torch's linear layers, or "kaiming-normal" with a bias of 0.
    """

    def __init__(
        self,
        spec: ModelSpec,
        second: ModelSpec | None,
        *,
        tap: int,
        nearest: bool,
        reduce: int,
        normalisation: Normalisation,
        compact_dim: int,
        epsilon: float,
        classifier_init: ClassifierInit,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(spec, tap=tap, nearest=nearest, stop_at_tap=True)
        self.second = Backbone(second, tap=tap, nearest=nearest, stop_at_tap=True) if second else None
        streams = [self.backbone] + ([self.second] if self.second else [])
        self.channels = [stream.channels for stream in streams]
        self.reduce = nn.ModuleList(_reduction(channels, reduce) for channels in self.channels) if reduce else None
        pooled = [reduce or channels for channels in self.channels]
        self.descriptor = Descriptor((pooled[0], pooled[-1]), normalisation, compact_dim, epsilon)
        self.dropout = nn.Dropout(spec.drop_rate)
        self.classifier = nn.Linear(self.descriptor.dim, spec.num_classes)
        if classifier_init == "kaiming-normal":
            nn.init.kaiming_normal_(self.classifier.weight)
            nn.init.zeros_(self.classifier.bias)
        self.num_classes, self.feature_dim = spec.num_classes, self.descriptor.dim
        self.mean, self.std, self.notes = self.backbone.mean, self.backbone.std, [*self.backbone.notes]
        if self.second:
            self.notes += [f"second stream: {note}" for note in self.second.notes]

    def forward(self, images: Tensor) -> Outputs:
        """Logits and the bilinear vector of normalised images (batch, 3, height, width)."""
        return self.classify(self.maps(images))

    def maps(self, images: Tensor) -> Tensor:
        """The streams' maps, stacked along the channels; the finer stream is averaged down to the coarser one's
        positions.
        """
        first: Tensor = self.backbone(images)
        if self.second is None:
            return first
        other = self.second(_renormalised(images, self.backbone, self.second))
        size = (min(first.shape[2], other.shape[2]), min(first.shape[3], other.shape[3]))
        return torch.cat([F.adaptive_avg_pool2d(maps, size) for maps in (first, other)], 1)

    def classify(self, maps: Tensor) -> Outputs:
        """What `maps` returned -> logits and the bilinear vector."""
        streams = list(maps.split(self.channels, 1))
        if self.reduce is not None:
            streams = [layer(stream) for layer, stream in zip(self.reduce, streams, strict=True)]
        vector = self.descriptor(streams[0], streams[-1])
        return Outputs(self.classifier(self.dropout(vector)), vector)

    def head_modules(self) -> list[nn.Module]:
        """The classifier, and the channel reduction where there is one."""
        return [self.classifier, *([self.reduce] if self.reduce is not None else [])]

    def cam_module(self) -> nn.Module:
        """The first stream."""
        return self.backbone.maps


def _reduction(channels: int, reduced: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, reduced, 1, bias=False), nn.BatchNorm2d(reduced), nn.ReLU())


def _renormalised(images: Tensor, given: Backbone, wanted: Backbone) -> Tensor:
    """The same images under the second stream's mean and deviation."""
    if (given.mean, given.std) == (wanted.mean, wanted.std):
        return images
    mean, std, new_mean, new_std = (
        images.new_tensor(v).view(1, 3, 1, 1) for v in (given.mean, given.std, wanted.mean, wanted.std)
    )
    return (images * std + mean - new_mean) / new_std
