"""What a method (a plugin) must be able to do, and the model that it builds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, get_args

import torch
from torch import Tensor, nn

from finegrained_crl.data.loading import PerImage
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.criteria import Role as Role  # part of the contract: plugins import it from here
from finegrained_crl.training.stages import Stage

if TYPE_CHECKING:
    from finegrained_crl.training.recipe import Recipe


class Outputs(NamedTuple):
    """What a model says of a batch.

    Attributes:
        logits: float, (batch, num_classes).
        features: float, (batch, feature_dim), what the classifier saw; for losses that need features.
    """

    logits: Tensor
    features: Tensor


class TrainBatch(NamedTuple):
    """What a training step gets.

    Attributes:
        images: float, (batch, 3, height, width), normalised; views that `Method.per_image` made stand one after the
            other, (batch * views, ..). In a stage with cached features: what `Method.features` returned.
        target: int64 (batch,) class indices, or float (batch, num_classes) soft targets.
        extras: what `Method.per_image` added, stacked: (batch, ..) each.
        stage: name of the stage.
        cached: whether `images` are cached features.
    """

    images: Tensor
    target: Tensor
    extras: dict[str, Tensor] = {}  # noqa: RUF012  (a NamedTuple's default; nobody writes into it)
    stage: str = "all"
    cached: bool = False


class Panel(NamedTuple):
    """A picture of `fgcrl explain`.

    Attributes:
        title: a few words.
        image: float, (3, height, width) normalised like the network's input, or (height, width) for a heat map over the
            input.
        points: (x, y, text) marks, in pixels of the input.
    """

    title: str
    image: Tensor
    points: list[tuple[float, float, str]] = []  # noqa: RUF012


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
        num_classes: classes of the data set.
        feature_dim: width of `Outputs.features`.
        mean: per-channel mean that the backbone expects, in [0, 1].
        std: per-channel standard deviation that the backbone expects.
        notes: what loading the weights had to say ("head of 1000 classes replaced").
    """

    num_classes: int
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

    def cam_module(self) -> nn.Module | None:
        """The module whose output are the feature maps that Grad-CAM weighs; None where the model has none."""
        return None


class Method(ABC):
    """A way of training a fine-grained classifier; its constructor's arguments are its options (`--method.NAME`).

    A method must define `summary`, `build`, `training_step` and `scores`. The others have defaults: one role "class",
    one stage, nothing to initialise, nothing per image. docs/plugins.md walks through a whole one.
    """

    summary: ClassVar[str]
    """One line for `fgcrl list methods`."""

    @abstractmethod
    def build(self, spec: ModelSpec) -> FineGrainedModel:
        """Build the model, weights loaded, head new."""

    @abstractmethod
    def training_step(self, model: Any, criteria: Criteria, batch: TrainBatch) -> tuple[dict[str, Tensor], Tensor]:
        """One forward pass.

        Args:
            model: what `build` returned.
            criteria: the loss of each role, `criteria["class"]`.
            batch: images and targets.
        Returns:
            losses by role, weighted (their sum is minimised; each is logged under its name), and scores (batch,
            num_classes) for the training accuracy.
        """

    @abstractmethod
    def scores(self, model: Any, criteria: Criteria, images: Tensor) -> Tensor:
        """Test-time scores, float (batch, num_classes), of normalised images."""

    def roles(self, model: Any) -> dict[str, Role]:
        """The places where a classification loss stands, by name."""
        return {"class": Role(model.num_classes, model.feature_dim)}

    def stages(self, recipe: Recipe) -> list[Stage]:
        """What is trained one after the other; the last stage is the recipe as it stands."""
        return [Stage("all")]

    def initialise(self, model: Any, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> list[str]:
        """Set weights from the training images, once, before the first update.

        Args:
            model: what `build` returned, on its device.
            batches: each call passes over all training images as evaluation shows them: normalised images, and labels.
        Returns:
            notes for the user.
        """
        return []

    def features(self, model: Any, images: Tensor) -> Tensor:
        """What a stage with `cached_views` keeps of (batch, 3, height, width) images: (batch, ..)."""
        raise TypeError(f"{type(self).__name__} has a stage with cached features and must define features()")

    def per_image(self) -> PerImage | None:
        """What is done to each augmented picture in the loader's workers; must survive pickling."""
        return None

    def explanations(self, model: Any, criteria: Criteria, images: Tensor, class_names: list[str]) -> list[Panel]:
        """Pictures of what the model saw in one normalised image (1, 3, height, width), beside Grad-CAM."""
        return []


def require_method(name: str, found: Any) -> type[Method]:
    """The class behind a method's name, if it is one.

    Raises:
        FinegrainedError: it is no subclass of `Method`, or lacks something; what is missing is named.
    """
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise FinegrainedError(
            f"method '{name}': {getattr(found, '__module__', '?')}.{getattr(found, '__qualname__', found)} is not a"
            " subclass of finegrained_crl.training.method.Method; docs/plugins.md shows how to write one"
        )
    missing = sorted(found.__abstractmethods__)
    if not isinstance(getattr(found, "summary", None), str):
        missing.append("summary (one line of text)")
    if missing:
        raise FinegrainedError(
            f"method '{name}': {found.__module__}.{found.__qualname__} lacks {', '.join(missing)}; docs/plugins.md says"
            " what each must do"
        )
    return found


def require_choice(option: str, value: Any, choices: Any) -> None:
    """Check an option of a method that takes one of a few words.

    Args:
        option: as in `--method.NAME`.
        value: what was given.
        choices: a `Literal` of the words.
    Raises:
        FinegrainedError: another word; the nearest one is suggested.
    """
    if value not in get_args(choices):
        raise FinegrainedError(f"--method.{option} {value}: {nearest(str(value), get_args(choices))}")


def classification_loss(criterion: nn.Module, outputs: Outputs, target: Tensor) -> Tensor:
    """The criterion's value, given what it needs: logits, logits and features, or features for a classifier of its
    own.
    """
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
