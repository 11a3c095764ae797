"""What a finished run's model used in one picture: Grad-CAM, and what its method has to show.

Grad-CAM weighs each feature map by the mean gradient of a class's score with respect to it, adds the maps, and keeps what speaks for the
class. Source: Selvaraju et al., 2017, Grad-CAM, equations 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finegrained_crl.data.images import read_image
from finegrained_crl.data.transforms import EvalTransform
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.training.method import Panel
from finegrained_crl.training.predictor import Predictor
from finegrained_crl.training.session import image_settings


@dataclass(frozen=True)
class Shown:
    """One panel, ready to draw.

    Attributes:
        title: a few words.
        picture: uint8, (height, width, 3).
        heat: float in [0, 1], (height, width), laid over the picture; None for none.
        points: (x, y, text) marks, pixels.
    """

    title: str
    picture: np.ndarray
    heat: np.ndarray | None
    points: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Explanation:
    """Everything about one picture: the most probable classes, and panels."""

    top: list[tuple[str, float]]
    explained: str
    panels: list[Shown]


def explain(predictor: Predictor, path: Path, class_name: str | None = None) -> Explanation:
    """Look at one picture with a finished run's model.

    Args:
        predictor: the run.
        path: the picture.
        class_name: class to explain; None: the predicted one.
    Raises:
        FinegrainedError: an unknown class, an unreadable picture.
    """
    names, trainee = predictor.class_names, predictor.trainee
    if class_name is not None and class_name not in names:
        raise FinegrainedError(f"--class {class_name}: the run knows no such class; {nearest(class_name, names)}")
    view = EvalTransform(image_settings(predictor.recipe))(read_image(path, convert=predictor.recipe.convert_images))[:1]
    image = predictor.normalise(torch.from_numpy(view)).contiguous(memory_format=predictor.layout)
    scores, heat = grad_cam(trainee, image, None if class_name is None else names.index(class_name))
    probabilities = softmax(scores[None])[0]
    order = np.argsort(-probabilities, kind="stable")
    explained = class_name or names[order[0]]
    panels = [Shown("input", view[0], None, [])]
    if heat is not None:
        panels.append(Shown(f"Grad-CAM: {explained}", view[0], heat, []))
    with torch.no_grad():
        extra = trainee.method.explanations(trainee.model, trainee.criteria, image, names)
    panels += [_shown(panel, view[0], trainee.model) for panel in extra]
    return Explanation([(names[i], float(probabilities[i])) for i in order[:3]], explained, panels)


def grad_cam(trainee: Any, image: Tensor, label: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores of one image, and where the maps speak for a class.

    Args:
        trainee: in evaluation mode.
        image: float, (1, 3, height, width), normalised.
        label: class; None: the one with the highest score.
    Returns:
        scores, float (num_classes,); heat map in [0, 1], (height, width), None for a model without feature maps.
    """
    module, kept = trainee.model.cam_module(), []
    hook = module.register_forward_hook(lambda _module, _inputs, output: kept.append(output)) if module else None
    try:
        with torch.enable_grad():
            scores = trainee.scores(image.requires_grad_())[0]
            if not kept:
                return scores.detach().float().cpu().numpy(), None
            chosen = scores.argmax() if label is None else torch.tensor(label)
            (gradient,) = torch.autograd.grad(scores[chosen], kept[0])
    finally:
        if hook:
            hook.remove()
    maps, slopes = (as_maps(x.detach().float(), module) for x in (kept[0], gradient))
    heat = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    heat = F.interpolate(heat, image.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    return scores.detach().float().cpu().numpy(), (heat / heat.max().clamp_min(1e-12)).cpu().numpy()


def as_maps(output: Tensor, module: nn.Module | None = None) -> Tensor:
    """A stage's output as (1, channels, height, width): maps as they are, channels-last maps turned, tokens laid out as a square grid.

    Args:
        output: (1, channels, height, width), (1, height, width, channels), or (1, prefix tokens + positions, channels).
        module: what gave it; a convolutional one never gives channels-last maps.
    """
    if output.ndim == 3:
        side = int(output.shape[1] ** 0.5)
        tokens = output[:, -side * side :].transpose(1, 2)
        return tokens.reshape(1, -1, side, side)
    is_last = output.shape[1] == output.shape[2] != output.shape[3]
    return output.permute(0, 3, 1, 2) if is_last and not isinstance(module, nn.Identity) else output


def _shown(panel: Panel, picture: np.ndarray, model: Any) -> Shown:
    image = panel.image.detach().float().cpu()
    if image.ndim == 2:
        return Shown(panel.title, picture, image.numpy(), panel.points)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (model.mean, model.std))
    pixels = ((image * std + mean).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return Shown(panel.title, pixels, None, panel.points)
