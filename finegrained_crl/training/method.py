"""What a method (a plugin) must be able to do, and the model that it builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class Outputs(NamedTuple):
    """What a model says of a batch.

    Attributes:
        logits: float, (batch, num_classes).
        features: float, (batch, feature_dim), what the classifier saw; for losses that need features.
    """

    logits: Tensor
    features: Tensor


@dataclass(frozen=True)
class ModelSpec:
    """What a method needs to know to build its model.

    Attributes:
        backbone: name of a timm model.
        num_classes: outputs of the new head.
        weights: "pretrained", "none" or the path of a weights file.
        drop_rate: dropout before the head.
        drop_path_rate: stochastic depth; 0 leaves the backbone's own setting.
        image_size: side of the input, pixels.
    """

    backbone: str
    num_classes: int
    weights: str
    drop_rate: float
    drop_path_rate: float
    image_size: int


class FineGrainedModel(nn.Module):
    """Base of every method's model: images in, `Outputs` out.

    Attributes:
        feature_dim: width of `Outputs.features`.
        mean: per-channel mean that the backbone expects, in [0, 1].
        std: per-channel standard deviation that the backbone expects.
        notes: what loading the weights had to say ("head of 1000 classes replaced").
    """

    feature_dim: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: list[str]

    def head_modules(self) -> list[nn.Module]:
        """The new layers: they train with `head_lr`, the rest with `lr`."""
        raise TypeError(f"{type(self).__name__} must define head_modules()")

    def exported(self) -> nn.Module:
        """The module whose state dict becomes the run's `.safetensors` file."""
        return self


@runtime_checkable
class Method(Protocol):
    """A way of training a fine-grained classifier; its constructor's arguments are its options."""

    summary: ClassVar[str]
    """One line for `fgcrl list methods`."""

    def build(self, spec: ModelSpec) -> FineGrainedModel:
        """Build the model, weights loaded, head new."""
        ...

    def training_step(
        self, model: FineGrainedModel, criterion: nn.Module, images: Tensor, target: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One forward pass.

        Args:
            model: what `build` returned.
            criterion: the loss.
            images: float, (batch, 3, height, width), normalised.
            target: int64 (batch,) class indices, or float (batch, num_classes) soft targets.
        Returns:
            losses by role (their sum is minimised), and scores (batch, num_classes) for the training accuracy.
        """
        ...

    def scores(self, model: FineGrainedModel, criterion: nn.Module, images: Tensor) -> Tensor:
        """Test-time scores, float (batch, num_classes), of normalised images."""
        ...


def classification_loss(criterion: nn.Module, outputs: Outputs, target: Tensor) -> Tensor:
    """The criterion's value, given what it needs: logits, logits and features, or features for a classifier of its own."""
    needs = getattr(criterion, "needs", "logits")
    if needs == "features":
        return torch.as_tensor(criterion(outputs.logits, target, outputs.features))
    return torch.as_tensor(criterion(outputs.features if needs == "classifier" else outputs.logits, target))


def classification_scores(criterion: nn.Module, outputs: Outputs) -> Tensor:
    """The scores to rank classes by: the criterion's own where it owns the classifier, the model's otherwise."""
    if getattr(criterion, "needs", "logits") == "classifier":
        scores: Any = criterion.scores(outputs.features)  # type: ignore[operator]
        return torch.as_tensor(scores)
    return outputs.logits


class Trainee(nn.Module):
    """Model and criterion as one module, so that whatever either of them learns is wrapped, averaged and saved alike."""

    def __init__(self, method: Method, model: FineGrainedModel, criterion: nn.Module) -> None:
        super().__init__()
        self.method, self.model, self.criterion = method, model, criterion

    def forward(self, images: Tensor, target: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Losses by role and scores; see `Method.training_step`."""
        return self.method.training_step(self.model, self.criterion, images, target)

    def scores(self, images: Tensor) -> Tensor:
        """Test-time scores, (batch, num_classes)."""
        return self.method.scores(self.model, self.criterion, images)
