"""A timm classifier as a fine-grained model, and the plain way of training one: a new head, one criterion on its
logits.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

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
from finegrained_crl.training.weights import timm_classifier


class TimmClassifier(FineGrainedModel):
    """A timm model that also shows the features its classifier sees."""

    def __init__(self, net: Any, notes: list[str]) -> None:
        super().__init__()
        from timm.data import resolve_model_data_config

        config = resolve_model_data_config(net)
        self.net = net
        self.notes = notes
        self.num_classes = int(net.num_classes)
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.feature_dim = int(getattr(net, "head_hidden_size", None) or net.num_features)

    def forward(self, images: Tensor) -> Outputs:
        """Logits and pre-logits features of normalised images, (batch, 3, height, width)."""
        maps = self.net.forward_features(images)
        features = self.net.forward_head(maps, pre_logits=True)
        head = self.net.get_classifier()
        # Distilled transformers have a pair of heads and average them in forward_head.
        logits = head(features) if isinstance(head, nn.Module) else self.net.forward_head(maps)
        return Outputs(logits, features)

    def head_modules(self) -> list[nn.Module]:
        """The classifier layer (a pair of them in distilled transformers)."""
        head = self.net.get_classifier()
        return [head] if isinstance(head, nn.Module) else list(head)

    def exported(self) -> nn.Module:
        """The timm model itself, so that `timm.create_model(.., checkpoint_path=..)` reads what a run saves."""
        net: nn.Module = self.net
        return net

    def cam_module(self) -> nn.Module | None:
        """The last stage; the one before it where the class token alone is classified, which the last one's patches
        don't reach.
        """
        info = getattr(self.net, "feature_info", None)
        if not info:
            return None
        stages = info if isinstance(info, list) else info.info
        if len(stages) < 2:
            return None
        from_token = getattr(self.net, "global_pool", "") == "token"
        chosen = stages[-2] if from_token else stages[-1]
        module: nn.Module = self.net.get_submodule(chosen["module"])
        return module


class PlainFineTuning(Method):
    """Base of methods that train a timm classifier with one criterion; see `training.method.Method`."""

    def build(self, spec: ModelSpec) -> FineGrainedModel:
        """Build the timm model with `spec.num_classes` outputs, weights loaded."""
        return TimmClassifier(*timm_classifier(spec))

    def training_step(
        self, model: FineGrainedModel, criteria: Criteria, batch: TrainBatch
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One criterion on the logits, under the role "class"."""
        outputs = model(batch.images)
        return {"class": classification_loss(criteria["class"], outputs, batch.target)}, classification_scores(
            criteria["class"], outputs
        )

    def scores(self, model: FineGrainedModel, criteria: Criteria, images: Tensor) -> Tensor:
        """Scores of the logits, or of the criterion's own classifier."""
        return classification_scores(criteria["class"], model(images))
