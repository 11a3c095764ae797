"""Drawn faces that the detector knows for faces, on plain ground."""

from __future__ import annotations

import functools

import numpy as np

from finegrained_crl_datasets.drawing.face import draw_face
from finegrained_crl_datasets.drawing.person import invent_person


@functools.cache
def drawn_face(number: int = 0, side: int = 200) -> np.ndarray:
    """A face that fills most of a square, uint8 (side, side, 3)."""
    rng = np.random.default_rng([7, number])
    person = invent_person(rng.uniform(20, 40), "f" if number % 2 else "m", rng)
    picture, _ = draw_face(person, rng, side)
    return np.array(picture.convert("RGB"), np.uint8)


def photograph(places: list[tuple[int, int, int]], size: tuple[int, int]) -> np.ndarray:
    """Faces on a plain photograph.

    Args:
        places: left, upper and side of each; they are different people.
        size: height and width.
    """
    pixels = np.full((*size, 3), 128, np.uint8)
    for number, (left, upper, side) in enumerate(places):
        pixels[upper : upper + side, left : left + side] = drawn_face(number, side)
    return pixels
