"""B-CNN: first the classifier on frozen features, then everything."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from torch import Tensor

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.method import (
    FineGrainedModel,
    Method,
    ModelSpec,
    Role,
    TrainBatch,
    classification_loss,
    classification_scores,
    require_choice,
)
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.stages import Stage
from finegrained_crl_plugins.bcnn.model import BilinearModel, ClassifierInit, Normalisation

CLASSIFIER, NETWORK = "classifier", "network"


class BilinearCNN(Method):
    """Bilinear pooling of one or two streams; stage "classifier" trains the last layer alone, stage "network" is the
    recipe itself.

    Args:
        second_backbone: timm model of the other stream; empty: both streams are the same network.
        second_weights: its weights: 'pretrained', 'none' or FILE.
        tap: stride of the pooled feature maps; 0: 16 for VGG (relu5_3, as in the paper), 32 otherwise, or the nearest
            that the network has.
        reduce: channels that a 1 x 1 convolution leaves before pooling (iSQRT-COV takes 256); 0: none.
        normalisation: 'signed-sqrt' (then L2, the paper's) or 'isqrt-cov' (matrix square root, one stream only).
        compact_dim: size of the compact (tensor sketch) pooling; 0: the whole matrix.
        epsilon: below the signed square root.
        classifier_init: 'uniform' (torch's, deviation .00113 for 512 x 512 inputs) or 'kaiming-normal' (.00276, bias 0;
            HaoMood's).
        stage1_epochs: epochs of the classifier alone; 0 leaves the stage out.
        stage1_lr: its learning rate; large, for the features have length one.
        stage1_weight_decay: its weight decay.
        stage1_optimizer: its optimiser.
        stage1_schedule: its learning-rate schedule.
        stage1_decay_epochs: epochs of stage 1 at which a constant rate falls to a tenth.
        cached_views: augmented views of each image whose features are computed once for stage 1; 0: no cache.
    """

    summary: ClassVar[str] = "B-CNN: bilinear pooling of one or two streams, classifier first, then everything"

    def __init__(
        self,
        second_backbone: str = "",
        second_weights: str = "pretrained",
        tap: int = 0,
        reduce: int = 0,
        normalisation: Normalisation = "signed-sqrt",
        compact_dim: int = 0,
        epsilon: float = 1e-5,
        classifier_init: ClassifierInit = "uniform",
        stage1_epochs: int = 55,
        stage1_lr: float = 1.0,
        stage1_weight_decay: float = 1e-8,
        stage1_optimizer: str = "momentum",
        stage1_schedule: Literal["constant", "cosine"] = "constant",
        stage1_decay_epochs: list[int] | None = None,
        cached_views: int = 0,
    ) -> None:
        require_choice("normalisation", normalisation, Normalisation)
        require_choice("classifier-init", classifier_init, ClassifierInit)
        if normalisation == "isqrt-cov" and (compact_dim or second_backbone):
            raise FinegrainedError(
                "--method.normalisation isqrt-cov takes the root of one stream's covariance: leave out "
                f"--method.{'compact-dim' if compact_dim else 'second-backbone'}"
            )
        _require_no_negative(
            {
                "tap": tap,
                "reduce": reduce,
                "compact-dim": compact_dim,
                "stage1-epochs": stage1_epochs,
                "cached-views": cached_views,
                "epsilon": epsilon,
                "stage1-lr": stage1_lr,
                "stage1-weight-decay": stage1_weight_decay,
            }
        )
        if stage1_decay_epochs and stage1_schedule != "constant":
            raise FinegrainedError(
                f"--method.stage1-decay-epochs needs --method.stage1-schedule constant, got {stage1_schedule}"
            )
        self.second_backbone, self.second_weights, self.tap, self.reduce = second_backbone, second_weights, tap, reduce
        self.normalisation, self.compact_dim, self.epsilon = normalisation, compact_dim, epsilon
        self.stage1_epochs, self.stage1_lr, self.stage1_weight_decay = stage1_epochs, stage1_lr, stage1_weight_decay
        self.stage1_optimizer, self.stage1_schedule, self.cached_views = stage1_optimizer, stage1_schedule, cached_views
        self.classifier_init, self.stage1_decay_epochs = classifier_init, stage1_decay_epochs or []

    def build(self, spec: ModelSpec) -> FineGrainedModel:
        """Build the streams, weights loaded, and a new classifier."""
        second = (
            dataclasses.replace(spec, backbone=self.second_backbone, weights=self._second_weights(spec))
            if self.second_backbone
            else None
        )
        return BilinearModel(
            spec,
            second,
            tap=self.tap or (16 if spec.backbone.startswith("vgg") else 32),
            nearest=not self.tap,
            reduce=self.reduce,
            normalisation=self.normalisation,
            compact_dim=self.compact_dim,
            epsilon=self.epsilon,
            classifier_init=self.classifier_init,
        )

    def _second_weights(self, spec: ModelSpec) -> str:
        # "none" is what a predictor asks for before it loads the run's own weights.
        return "none" if spec.weights == "none" else self.second_weights

    def roles(self, model: FineGrainedModel) -> dict[str, Role]:
        """One loss per stage, named like it: the paper's protocol puts CRL into both."""
        return {stage: Role(model.num_classes, model.feature_dim) for stage in (CLASSIFIER, NETWORK)}

    def stages(self, recipe: Recipe) -> list[Stage]:
        """The classifier alone, if it has epochs; then everything, by the recipe."""
        alone = {
            "freeze": ["backbone"],
            "epochs": self.stage1_epochs,
            "optimizer": self.stage1_optimizer,
            "lr": self.stage1_lr,
            "head_lr": None,
            "weight_decay": self.stage1_weight_decay,
            "schedule": "multistep" if self.stage1_decay_epochs else self.stage1_schedule,
            "decay_epochs": self.stage1_decay_epochs,
            "decay_rate": 0.1,
            "warmup_epochs": 0,
            "clip_grad": 0.0,
        }
        return [Stage(CLASSIFIER, alone, self.cached_views), Stage(NETWORK)]

    def features(self, model: BilinearModel, images: Tensor) -> Tensor:
        """The streams' maps: all that is frozen in stage 1."""
        return model.maps(images)

    def training_step(
        self, model: BilinearModel, criteria: Criteria, batch: TrainBatch
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The stage's own criterion on the logits."""
        outputs = model.classify(batch.images) if batch.cached else model(batch.images)
        return {batch.stage: classification_loss(criteria[batch.stage], outputs, batch.target)}, outputs.logits

    def scores(self, model: BilinearModel, criteria: Criteria, images: Tensor) -> Tensor:
        """The logits."""
        return classification_scores(criteria[NETWORK], model(images))


def _require_no_negative(numbers: dict[str, float]) -> None:
    for name, value in numbers.items():
        if value < 0:
            raise FinegrainedError(f"--method.{name} must not be negative, got {value}")


method = BilinearCNN
