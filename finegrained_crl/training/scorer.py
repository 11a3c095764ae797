"""The one way from pictures to scores to a decision: evaluation, `predict`, `explain` and the feature cache all go
through here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finegrained_crl.data.normalise import normaliser
from finegrained_crl.metrics.decision import choose
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.training.device import memory_format
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.trainee import Trainee


@dataclass(frozen=True)
class Scorer:
    """How a run's pictures become network input, scores and a class.

    Attributes:
        normalise: uint8 (.., height, width, 3) to float (n, 3, height, width) on the device, views folded into the
            batch.
        memory_format: layout of the network input.
        accelerator: accelerate's; its precision holds while scoring.
        decoder: how a class is chosen from the scores.
    """

    normalise: Callable[[Tensor], Tensor]
    memory_format: torch.memory_format
    accelerator: Any
    decoder: Decoder

    def inputs(self, images: Tensor) -> Tensor:
        """The network input of uint8 pictures, (.., height, width, 3) -> (n, 3, height, width)."""
        return self.normalise(images).contiguous(memory_format=self.memory_format)

    def scores(self, trainee: Trainee, views: Tensor) -> np.ndarray:
        """Scores of pictures, the mean over the views of each.

        Args:
            trainee: in evaluation mode.
            views: uint8, (batch, views, height, width, 3).
        Returns:
            float32, (batch, num_classes).
        """
        with torch.inference_mode(), self.accelerator.autocast():
            scores = trainee.scores(self.inputs(views)).float()
        by_picture = scores.unflatten(0, (-1, views.shape[1]))  # (batch, views, classes)
        return np.asarray(by_picture.mean(1).cpu())

    def choose(self, scores: np.ndarray) -> np.ndarray:
        """The class of each picture, int64 (batch,)."""
        return choose(scores, self.decoder)


def make_scorer(trainee: Trainee, recipe: Recipe, accelerator: Any, *, ordered: bool, years: bool = False) -> Scorer:
    """The scorer of a run.

    Args:
        trainee: its model knows mean and standard deviation of the input, its method the decoder.
        recipe: names the memory format.
        accelerator: where the model is.
        ordered: whether the classes have an order; without one the highest score is chosen.
        years: whether the classes are years: a method that names no decoder then takes the expected age.
    """
    model = trainee.model
    usual: Decoder = "mean" if years else "argmax"
    decoder: Decoder = getattr(trainee.method, "decoder", usual) if ordered else "argmax"
    return Scorer(
        normaliser(model.mean, model.std, accelerator.device), memory_format(recipe.memory_format), accelerator, decoder
    )
