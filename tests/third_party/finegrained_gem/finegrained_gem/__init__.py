"""Generalised-mean (GeM) pooling: between the mean (p = 1) and the maximum (p -> infinity) of each feature map, p
learned."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from finegrained_crl.training.backbone import Backbone
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.method import (
    FineGrainedModel,
    Method,
    ModelSpec,
    Outputs,
    TrainBatch,
    classification_loss,
    classification_scores,
)


class GeMModel(FineGrainedModel):
    """A timm backbone, GeM pooling, a linear classifier.

    Source: Radenovic et al., 2019, Fine-tuning CNN Image Retrieval with No Human Annotation, equation 3.
    """

    def __init__(self, spec: ModelSpec, power: float) -> None:
        super().__init__()
        self.backbone = Backbone(spec)
        self.power = nn.Parameter(torch.tensor(power))
        self.classifier = nn.Linear(self.backbone.channels, spec.num_classes)
        self.num_classes, self.feature_dim = spec.num_classes, self.backbone.channels
        self.mean, self.std, self.notes = self.backbone.mean, self.backbone.std, self.backbone.notes

    def forward(self, images: Tensor) -> Outputs:
        """Logits and pooled features of normalised images (batch, 3, height, width)."""
        maps = self.backbone(images).clamp_min(1e-6)
        features = maps.pow(self.power).mean((2, 3)).pow(1 / self.power)
        return Outputs(self.classifier(features), features)

    def head_modules(self) -> list[nn.Module]:
        """The classifier."""
        return [self.classifier]

    def cam_module(self) -> nn.Module:
        """The backbone's maps."""
        return self.backbone.maps


class GeM(Method):
    """GeM pooling on any backbone that gives feature maps.

    Args:
        power: where p begins; 3 is common.
    """

    summary: ClassVar[str] = "GeM pooling: a learned blend of mean and maximum"

    def __init__(self, power: float = 3.0) -> None:
        self.power = power

    def build(self, spec: ModelSpec) -> GeMModel:
        """Backbone, pooling, a new classifier."""
        return GeMModel(spec, self.power)

    def training_step(self, model: GeMModel, criteria: Criteria, batch: TrainBatch) -> tuple[dict[str, Tensor], Tensor]:
        """One criterion on the logits."""
        outputs = model(batch.images)
        return {"class": classification_loss(criteria["class"], outputs, batch.target)}, classification_scores(
            criteria["class"], outputs
        )

    def scores(self, model: GeMModel, criteria: Criteria, images: Tensor) -> Tensor:
        """The logits, or the criterion's own scores."""
        return classification_scores(criteria["class"], model(images))
