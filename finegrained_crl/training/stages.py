"""Stages: what a method trains one after the other, each with an optimiser of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.training.recipe import Recipe

CHANGEABLE = (
    *("freeze", "epochs", "accumulate", "optimizer", "lr", "head_lr", "momentum", "weight_decay"),
    *("schedule", "decay_epochs", "decay_rate", "warmup_epochs", "min_lr", "clip_grad"),
)
"""Recipe settings that a stage may have for itself. Data, images and batches are the same in all stages."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: for the log, and for the method's training step.
        settings: recipe settings (of `CHANGEABLE`) that differ here.
        cached_views: train on features that the frozen part gave for so many augmented views of each image, computed
            once; 0: pass every image through the whole network.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    cached_views: int = 0


@dataclass(frozen=True)
class PlacedStage:
    """A stage and where it stands in the run.

    Attributes:
        stage: the stage.
        first: its first epoch, from 0.
        recipe: the run's recipe with the stage's settings.
    """

    stage: Stage
    first: int
    recipe: Recipe

    @property
    def end(self) -> int:
        """The epoch after its last."""
        return self.first + self.recipe.epochs


def place(stages: list[Stage], recipe: Recipe) -> list[PlacedStage]:
    """Set the stages one after the other; those without epochs drop out.

    Raises:
        FinegrainedError: a stage changes a setting that holds for the whole run.
    """
    placed: list[PlacedStage] = []
    for stage in stages:
        wrong = [key for key in stage.settings if key not in CHANGEABLE]
        if wrong:
            raise FinegrainedError(
                f"stage '{stage.name}' of the method sets {', '.join(wrong)}; a stage may set {', '.join(CHANGEABLE)}"
            )
        own = recipe.replace(**stage.settings)
        if own.epochs > 0:
            placed.append(PlacedStage(stage, placed[-1].end if placed else 0, own))
    return placed
