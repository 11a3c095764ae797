"""What is exported: pixels in, the run's scores out, normalisation inside."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from finegrained_crl.training.predictor import Predictor


class ScoringNetwork(nn.Module):
    """A run's model with its normalisation and whatever its method does to get from logits to scores.

    Args:
        predictor: the run, on the CPU.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        model = predictor.trainee.model
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (model.mean, model.std))
        # The trainee itself would bring the names of its roles, and "class" is no name in exported code.
        self.model = model
        self.losses = nn.ModuleList(predictor.trainee.criteria.by_role.values())
        self._scores = predictor.trainee.scores
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(self, pixels: Tensor) -> Tensor:
        """Scores, float32 (batch, num_classes), of RGB pixels, float32 (batch, 3, height, width) in [0, 255]."""
        return self._scores(pixels * self.scale + self.shift).float()


def scoring_network(predictor: Predictor) -> ScoringNetwork:
    """The network in evaluation mode, in the plain memory layout that every runtime knows."""
    network = ScoringNetwork(predictor).eval()
    return network.to(memory_format=torch.contiguous_format)


def example_pixels(predictor: Predictor) -> Tensor:
    """Two pictures: of one, an exporter would take the batch for a constant."""
    side = predictor.recipe.image_size
    return torch.randint(0, 256, (2, 3, side, side), generator=torch.Generator().manual_seed(0)).float()


def preprocessing(predictor: Predictor) -> dict[str, Any]:
    """What a program must do to a picture before the network sees it, and what the answers are called."""
    recipe, model = predictor.recipe, predictor.trainee.model
    side = predictor.transform.settings.side_before_crop(recipe.eval_resize_ratio)
    return {
        "input": {"name": "pixels", "type": "float32", "shape": ["batch", 3, recipe.image_size, recipe.image_size]},
        "channels": "RGB",
        "range": [0, 255],
        "resize": {
            "to": side,
            "side": "both" if recipe.resize == "squash" else "short",
            "interpolation": "area (OpenCV)",
        },
        "crop": {"size": recipe.image_size, "place": "centre"},
        **({"faces": predictor.face_crop} if predictor.face_crop else {}),
        "views": recipe.views,
        "normalisation": {"mean": list(model.mean), "std": list(model.std), "inside_the_network": True},
        "output": {"name": "scores", "type": "float32", "shape": ["batch", len(predictor.class_names)]},
        "decoder": predictor.scorer.decoder,
        "class_names": predictor.class_names,
    }
