"""Augmentation and evaluation views; the one module that knows albumentations.

Each transform has a part that is the same every time (`prepare`: mostly a resize), whose pictures may be kept, and a
part that follows. Where that part only cuts, windows.py says where; what changes pixels is albumentations'.

Every random choice for an image comes from (seed, epoch, row), so a result does not depend on the number of workers, on
the order in which they finish, or on where an interrupted run was taken up again.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from finegrained_crl.data.windows import Ints, Windows, cut, only_cuts, random_windows, view_windows

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
    reduced_decoding: bool = False

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
        return self.vary(self.prepare(image), epoch, row)

    @property
    def prepared(self) -> str:
        """What `prepare` does, in words that tell one preparation from another."""
        s = self.settings
        words = _preparation(s, s.resize_ratio) if _resizes(s) else "as decoded"
        return f"{words}, decoded at {self.least_side} or more" if self.least_side else words

    @property
    def least_side(self) -> int | None:
        """Pixels that a decoded picture's short side must keep; None: it is decoded whole.

        A random resized crop takes at least `crop_scale` of the area, at most 3 : 4 in form: its short side is the
        picture's times sqrt(3/4 crop_scale), and should not be smaller than what it is resized to.
        """
        s = self.settings
        if not s.reduced_decoding:
            return None
        if _resizes(s):
            return s.side_before_crop(s.resize_ratio)
        return math.ceil(s.image_size / math.sqrt(0.75 * s.crop_scale))

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """The part that is the same in every epoch."""
        return _resized(image, self.settings, self.settings.resize_ratio) if _resizes(self.settings) else image

    def vary(self, prepared: np.ndarray, epoch: int, row: int) -> np.ndarray:
        """The random part, of a prepared picture."""
        s = self.settings
        if only_cuts(s):
            return np.asarray(cut_windows(prepared, self.windows(*_one(epoch, row, prepared)), s.image_size)[0])
        pipeline = _cached(_variation, s)
        key = (self.seed, epoch, row)
        pipeline.set_random_state(np.random.default_rng(key), random.Random(repr(key)))
        return np.asarray(pipeline(image=prepared)["image"])

    def windows(self, epochs: Ints, rows: Ints, heights: Ints, widths: Ints) -> Windows:
        """Where prepared pictures are cut, if that is all that is done with them."""
        return random_windows(self.settings, self.seed, epochs, rows, heights, widths)


@dataclass(frozen=True)
class EvalTransform:
    """The declared views: uint8 (height, width, 3) -> uint8 (views, image_size, image_size, 3)."""

    settings: ImageSettings

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Resize one picture and cut its views."""
        return self.cut(self.prepare(image))

    least_side = None  # decoded whole: what is evaluated does not depend on how training decodes

    @property
    def prepared(self) -> str:
        """What `prepare` does, in words that tell one preparation from another."""
        return _preparation(self.settings, self.settings.eval_resize_ratio)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize one picture."""
        return _resized(image, self.settings, self.settings.eval_resize_ratio)

    def cut(self, prepared: np.ndarray) -> np.ndarray:
        """The views of a prepared picture."""
        return cut_windows(prepared, self.windows(*_one(0, 0, prepared)), self.settings.image_size)

    def windows(self, _epochs: Ints, _rows: Ints, heights: Ints, widths: Ints) -> Windows:
        """The views of prepared pictures."""
        return view_windows(self.settings.image_size, self.settings.views, heights, widths)


def cut_windows(picture: np.ndarray, windows: Windows, size: int) -> np.ndarray:
    """The windows of one picture, uint8 (views, size, size, 3); black outside of it."""
    out = np.zeros((windows.tops.shape[1], size, size, 3), np.uint8)
    for view, (top, left, mirrored) in enumerate(zip(*(values[0] for values in windows), strict=True)):
        cut(picture, int(top), int(left), bool(mirrored), out[view])
    return out


def _one(epoch: int, row: int, picture: np.ndarray) -> tuple[Ints, Ints, Ints, Ints]:
    """A picture's epoch, row, height and width as arrays of one."""
    height, width = picture.shape[:2]
    epochs, rows, heights, widths = np.array([[epoch], [row], [height], [width]], np.int64)
    return epochs, rows, heights, widths


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """A picture with its short side at so many pixels, as training would resize it."""
    return np.asarray(_cached(_resize, ("crop", side))(image=image)["image"])


def _resizes(s: ImageSettings) -> bool:
    """Whether training pictures are resized before anything random is done: a random resized crop is cut first."""
    return s.resize == "squash" or s.crop_scale == 1


def _preparation(s: ImageSettings, ratio: float) -> str:
    return f"{s.resize} {s.side_before_crop(ratio)}"


def _resized(image: np.ndarray, s: ImageSettings, ratio: float) -> np.ndarray:
    return np.asarray(_cached(_resize, (s.resize, s.side_before_crop(ratio)))(image=image)["image"])


_pipelines: dict[Any, Any] = {}


def _cached(build: Callable[[Any], Any], settings: Any) -> Any:
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


def _resize(how: tuple[str, int]) -> Any:
    A, cv2 = _albumentations()
    resize, side = how
    if resize == "squash":
        return A.Resize(side, side, interpolation=cv2.INTER_AREA)
    return A.SmallestMaxSize(side, interpolation=cv2.INTER_AREA)


def _variation(s: ImageSettings) -> Any:
    A, cv2 = _albumentations()
    square, area = (s.image_size, s.image_size), cv2.INTER_AREA
    steps: list[Any] = []
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
