"""A face in a photograph, how it leans, and the map that shows it upright."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


class Face(NamedTuple):
    """A face in the pixels of a photograph, counted from its upper left corner.

    Attributes:
        box: left, upper, width, height; may reach beyond the photograph.
        score: of the detector, in (0, 1).
        landmarks: float32, (5, 2): the eye on the left of an upright face, the one on the right, tip of the nose, left
            and right corner of the mouth; x, y each.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: npt.NDArray[np.float32]

    @property
    def size(self) -> float:
        """Pixels of the longer side of the box."""
        return max(self.box[2:])


def tilt(face: Face) -> float:
    """Degrees by which a face leans, clockwise, in (-180, 180].

    The line through the eyes and the one from the eyes' middle to the mouth's, which is at a right angle to it, are
    added up: of a profile, whose eyes lie together, the second one decides.
    """
    eyes, mouth = face.landmarks[1] - face.landmarks[0], face.landmarks[3:].mean(axis=0)
    down = mouth - face.landmarks[:2].mean(axis=0)
    across = eyes + np.array([down[1], -down[0]])
    return math.degrees(math.atan2(float(across[1]), float(across[0])))


def around(pixels: Pixels, face: Face, side: float) -> tuple[Pixels, int, int]:
    """The part of a photograph that a crop of that side, however turned, can show; its left and upper edge.

    OpenCV warps no picture of more than 32,767 pixels a side.
    """
    reach = math.ceil(side * math.sqrt(0.5)) + 2
    spans = []
    for axis, length in ((0, pixels.shape[1]), (1, pixels.shape[0])):
        centre = round(face.box[axis] + face.box[axis + 2] / 2)
        first = min(max(0, centre - reach), length - 1)
        spans.append((first, max(first + 1, min(length, centre + reach))))
    (left, right), (upper, lower) = spans
    return pixels[upper:lower, left:right], left, upper


def upright_warp(face: Face, side: float, out: int) -> np.ndarray:
    """The map from pixels of the crop to pixels of the photograph, (2, 3); both are counted by their centres."""
    left, upper, width, height = face.box
    angle, scale = math.radians(tilt(face)), side / out
    across, down = scale * math.cos(angle), scale * math.sin(angle)
    middle = (out - 1) / 2
    x, y = left + width / 2 - 0.5, upper + height / 2 - 0.5
    return np.array(
        [[across, -down, x - middle * across + middle * down], [down, across, y - middle * down - middle * across]]
    )
