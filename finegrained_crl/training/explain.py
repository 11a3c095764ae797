"""What a finished run's model used in one picture: Grad-CAM, and what its method has to show.

Grad-CAM weighs each feature map by the mean gradient of a class's score with respect to it, adds the maps, and keeps
what speaks for the class. Source: Selvaraju et al., 2017, Grad-CAM, equations 1 and 2.
"""

from __future__ import annotations

import dataclasses
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
from finegrained_crl.metrics.decision import ranking
from finegrained_crl.training.assembly import image_settings
from finegrained_crl.training.method import Panel
from finegrained_crl.training.predictor import Predictor

SHOWN_PIXELS = 448
"""Side at which the photograph is shown: heat maps of 64 pixels lie over a picture in which one sees the bird."""


@dataclass(frozen=True)
class Shown:
    """One panel, ready to draw.

    Attributes:
        title: a few words.
        picture: uint8, (height, width, 3).
        heat: float in [0, 1], (height, width), laid over the picture; None for none.
        points: (x, y, text) marks, pixels of `picture`.
    """

    title: str
    picture: np.ndarray
    heat: np.ndarray | None
    points: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Explanation:
    """Everything about one picture.

    Attributes:
        predicted: the class that the run chooses, by its decoder.
        top: the most probable classes with their probabilities.
        explained: the class that the heat map speaks of.
        panels: to draw.
    """

    predicted: str
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
    pixels = read_image(path, convert=predictor.recipe.convert_images)
    views = predictor.transform(pixels)
    # The run's own scores, with all its views: `predict` must not name another class than this.
    scores = predictor.scores(views[None])
    chosen = int(predictor.scorer.choose(scores)[0])
    explained = chosen if class_name is None else names.index(class_name)
    image = predictor.scorer.inputs(torch.from_numpy(views[:1]))
    heat = grad_cam(trainee, image, explained)
    photograph = _photograph(predictor, pixels)
    panels = [Shown("photograph, as cropped", photograph, None, [])]
    if heat is not None:
        panels.append(Shown(f"Grad-CAM: {names[explained]}", photograph, _enlarged(heat, photograph), []))
    with torch.no_grad():
        extra = trainee.method.explanations(trainee.model, trainee.criteria, image, names)
    panels += [_shown(panel, photograph, image, trainee.model) for panel in extra]
    probabilities, order = softmax(scores)[0], ranking(scores)[0]
    top = [(names[label], float(probabilities[label])) for label in order[:3]]
    return Explanation(names[chosen], top, names[explained], panels)


def grad_cam(trainee: Any, image: Tensor, label: int) -> np.ndarray | None:
    """Where the maps speak for a class.

    Args:
        trainee: in evaluation mode.
        image: float, (1, 3, height, width), normalised.
        label: the class.
    Returns:
        heat map in [0, 1], (height, width); None for a model without feature maps.
    """
    module = trainee.model.cam_module()
    if module is None:
        return None
    outputs: list[Tensor] = []
    hook = module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        with torch.enable_grad():
            score = trainee.scores(image.requires_grad_())[0, label]
            (gradient,) = torch.autograd.grad(score, outputs[0])
    finally:
        hook.remove()
    maps, slopes = (as_maps(x.detach().float(), module) for x in (outputs[0], gradient))
    heat = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    heat = F.interpolate(heat, image.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    return np.asarray((heat / heat.max().clamp_min(1e-12)).cpu())


def as_maps(output: Tensor, module: nn.Module | None = None) -> Tensor:
    """A stage's output as (1, channels, height, width): channels-last maps turned, tokens laid out as a square grid.

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


def _photograph(predictor: Predictor, pixels: np.ndarray) -> np.ndarray:
    """The part of the photograph that the network saw, in more pixels than it saw: sizes before cropping are ratios of
    the side.
    """
    settings = image_settings(predictor.recipe)
    side = max(settings.image_size, SHOWN_PIXELS)
    large = dataclasses.replace(settings, image_size=side, views="single")
    return np.asarray(EvalTransform(large)(pixels)[0])


def _enlarged(heat: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    height, width = photograph.shape[:2]
    large = F.interpolate(torch.from_numpy(heat)[None, None], (height, width), mode="bilinear", align_corners=False)
    return np.asarray(large[0, 0])


def _shown(panel: Panel, photograph: np.ndarray, network_input: Tensor, model: Any) -> Shown:
    if torch.equal(panel.image, network_input[0]):
        scale = photograph.shape[1] / panel.image.shape[-1]
        points = [(x * scale, y * scale, text) for x, y, text in panel.points]
        return Shown(panel.title, photograph, None, points)
    image = panel.image.detach().float().cpu()
    if image.ndim == 2:
        return Shown(panel.title, photograph, _enlarged(image.numpy(), photograph), panel.points)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (model.mean, model.std))
    pixels = ((image * std + mean).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return Shown(panel.title, pixels, None, panel.points)
