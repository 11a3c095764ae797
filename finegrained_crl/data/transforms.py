"""Augmentation and evaluation views; the one module that knows albumentations.

Every random choice for an image comes from (seed, epoch, row), so a result does not depend on the number of workers, on
the order in which they finish, or on where an interrupted run was taken up again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

View = Literal["single", "flip", "ten-crop"]


@dataclass(frozen=True)
class ImageSettings:
    """Sizes and strengths of the picture pipeline; the fields carry the recipe's names."""

    image_size: int
    resize: Literal["crop", "squash"]
    resize_ratio: float
    eval_resize_ratio: float
    crop_scale: float
    hflip: float
    rotate: float
    color_jitter: float
    erase: float
    views: View
    rotate_border: Literal["reflect", "black"] = "reflect"
    pad: int = 0

    def side_before_crop(self, ratio: float) -> int:
        """Pixels of the (short) side before cropping."""
        return max(self.image_size, round(self.image_size * ratio))


@dataclass(frozen=True)
class TrainTransform:
    """Seeded augmentation: uint8 (height, width, 3) -> uint8 (image_size, image_size, 3)."""

    settings: ImageSettings
    seed: int

    def __call__(self, image: np.ndarray, epoch: int, row: int) -> np.ndarray:
        """Augment one picture with the randomness of its (seed, epoch, row)."""
        pipeline = _cached(_train_pipeline, self.settings)
        key = (self.seed, epoch, row)
        pipeline.set_random_state(np.random.default_rng(key), random.Random(repr(key)))
        return np.asarray(pipeline(image=image)["image"])


@dataclass(frozen=True)
class EvalTransform:
    """The declared views: uint8 (height, width, 3) -> uint8 (views, image_size, image_size, 3)."""

    settings: ImageSettings

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Resize one picture and cut its views."""
        s = self.settings
        resized = np.asarray(_cached(_eval_resize, s)(image=image)["image"])
        return np.stack(cut_views(resized, s.image_size, s.views))


def cut_views(image: np.ndarray, size: int, views: View) -> list[np.ndarray]:
    """Cut the evaluation views out of a resized picture.

    Args:
        image: uint8, (height, width, 3), both sides at least `size`.
        size: side of a view, pixels.
        views: "single" (centre), "flip" (centre and its mirror image), "ten-crop" (centre, four corners, and their
            mirror images).
    Returns:
        1, 2 or 10 arrays, each (size, size, 3).
    """
    down, right = image.shape[0] - size, image.shape[1] - size
    corners = [(down // 2, right // 2)]
    if views == "ten-crop":
        corners += [(0, 0), (0, right), (down, 0), (down, right)]
    crops = [image[y : y + size, x : x + size] for y, x in corners]
    return crops if views == "single" else crops + [crop[:, ::-1] for crop in crops]


_pipelines: dict[Any, Any] = {}


def _cached(build: Callable[[ImageSettings], Any], settings: ImageSettings) -> Any:
    """One pipeline per process and setting: building costs milliseconds, and pipelines do not travel to workers."""
    key = (build.__name__, settings)
    if key not in _pipelines:
        _pipelines[key] = build(settings)
    return _pipelines[key]


def _albumentations() -> tuple[Any, Any]:
    # Albumentations asks a server for its newest version at import; training must not depend on a network.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations
    import cv2

    # One picture per worker at a time: OpenCV's own threads would fight the workers and torch for the cores.
    cv2.setNumThreads(0)
    return albumentations, cv2


def _train_pipeline(s: ImageSettings) -> Any:
    A, cv2 = _albumentations()
    square, area = (s.image_size, s.image_size), cv2.INTER_AREA
    side = s.side_before_crop(s.resize_ratio)
    steps: list[Any] = []
    if s.resize == "squash":
        steps.append(A.Resize(side, side, interpolation=area))
    elif s.crop_scale == 1:
        steps.append(A.SmallestMaxSize(side, interpolation=area))
    if s.rotate:
        border = {"reflect": cv2.BORDER_REFLECT_101, "black": cv2.BORDER_CONSTANT}[s.rotate_border]
        steps.append(A.Rotate(s.rotate, border_mode=border, fill=0, p=1.0))
    if s.pad:
        steps.append(A.Pad(s.pad, border_mode=cv2.BORDER_CONSTANT, fill=0))
    if s.crop_scale == 1:
        steps.append(A.RandomCrop(*square))
    else:
        steps.append(A.RandomResizedCrop(square, scale=(s.crop_scale, 1.0), ratio=(3 / 4, 4 / 3), interpolation=area))
    if s.hflip:
        steps.append(A.HorizontalFlip(p=s.hflip))
    if s.color_jitter:
        jitter = s.color_jitter
        steps.append(
            A.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter, hue=min(0.5, jitter / 4), p=0.8)
        )
    if s.erase:
        steps.append(A.CoarseDropout((1, 1), (0.1, 0.4), (0.1, 0.4), p=s.erase))
    return A.Compose(steps)


def _eval_resize(s: ImageSettings) -> Any:
    A, cv2 = _albumentations()
    side = s.side_before_crop(s.eval_resize_ratio)
    if s.resize == "squash":
        return A.Resize(side, side, interpolation=cv2.INTER_AREA)
    return A.SmallestMaxSize(side, interpolation=cv2.INTER_AREA)
