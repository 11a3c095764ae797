"""Numbers by which copies of a picture lie close together and other pictures far apart, however alike the pictures of a
set are.

The lowest cosine frequencies of a picture, or of a window of it, are whitened by the statistics of the set itself: what
all faces share (eyes above a mouth) counts for nothing, what tells one from the others for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from finegrained_crl.data.looks import SIDE

FREQUENCIES = 10
"""A side; beyond, a crop by half a window's step falls out of phase."""
KEPT = 0.92
"""Side of a window by the picture's: of crops to 90 % and to 95 % alike, some window shows nearly the same."""
PRIOR_MEAN = 50
"""Pictures that a set must have for its own mean to count half: two copies alone would otherwise be each other's
opposites."""
RIDGE = 0.02

Floats = npt.NDArray[np.float32]
Window = tuple[float, float, float, float]
"""Left, upper, width, height, in pixels of a look."""


@dataclass(frozen=True)
class View:
    """A way to look at a picture.

    Attributes:
        window: the part of it.
        turn: which of the eight turns and mirrorings: bit 4 swaps the axes first, then bit 2 turns it upside down, bit
            1 mirrors it.
    """

    window: Window
    turn: int

    @property
    def is_whole(self) -> bool:
        """Whether the window is all of the picture."""
        return self.window == WHOLE


WHOLE: Window = (0.0, 0.0, float(SIDE), float(SIDE))


def views() -> list[View]:
    """Whole and centre in all eight turns, the eight windows at edges and corners as they are."""
    side, rest = KEPT * SIDE, (1 - KEPT) * SIDE
    places = [(left, upper) for upper in (0.0, rest / 2, rest) for left in (0.0, rest / 2, rest)]
    centre = places.pop(4)
    turned_views = [View(window, turn) for window in (WHOLE, (*centre, side, side)) for turn in range(8)]
    return turned_views + [View((*place, side, side), 0) for place in places]


def coefficients(pictures: Floats, window: Window) -> Floats:
    """The lowest cosine frequencies of a window of each picture.

    Args:
        pictures: float32, (n, 64, 64).
        window: the part of them.
    Returns:
        float32, (n, 10, 10), rows by vertical frequency.
    """
    left, upper, width, height = window
    values = np.einsum("ky,nyx,lx->nkl", _waves(upper, height), pictures, _waves(left, width), optimize=True)
    return np.asarray(values, dtype=np.float32)


def turned(values: Floats, turn: int) -> Floats:
    """The coefficients of turned or mirrored pictures (see `View.turn`): mirroring changes the sign of each odd
    frequency.
    """
    signs = np.float32(-1) ** np.arange(FREQUENCIES, dtype=np.float32)
    values = values.transpose(0, 2, 1) if turn & 4 else values
    values = values * signs[:, None] if turn & 2 else values
    return values * signs if turn & 1 else values


def turned_pixels(picture: Floats, turn: int) -> Floats:
    """The picture itself, turned or mirrored as `turned` does its coefficients."""
    picture = picture.T if turn & 4 else picture
    picture = picture[::-1] if turn & 2 else picture
    return np.ascontiguousarray(picture[:, ::-1] if turn & 1 else picture)


class Whitening:
    """Descriptors by the statistics of a set of pictures.

    Args:
        pictures: float32, (n, 64, 64).
    """

    def __init__(self, pictures: Floats) -> None:
        rows = _unit(coefficients(pictures, WHOLE)).astype(np.float64)
        size, dimensions = rows.shape
        self.mean = rows.mean(axis=0) * size / (size + PRIOR_MEAN)
        centred = rows - self.mean
        own = centred.T @ centred / size
        # Few pictures say little about a hundred frequencies: then the power of natural pictures, which falls with
        # frequency squared.
        share = size / (size + dimensions)
        power = _natural_power() * np.trace(own)
        covariance = (
            share * own + (1 - share) * np.diag(power) + RIDGE * np.trace(own) / dimensions * np.eye(dimensions)
        )
        values, vectors = np.linalg.eigh(covariance)
        self.matrix = (vectors / np.sqrt(values)).astype(np.float32)

    def describe(self, values: Floats) -> Floats:
        """Coefficients (n, 10, 10) as descriptors, float32, (n, 99), each of length 1."""
        rows = (_unit(values) - self.mean.astype(np.float32)) @ self.matrix
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))

    def all_views(self, pictures: Floats) -> Iterator[tuple[View, Floats]]:
        """Each view of `views` with the descriptors of all pictures in it."""
        cached: dict[Window, Floats] = {}
        for view in views():
            if view.window not in cached:
                cached = {view.window: coefficients(pictures, view.window)}
            yield view, self.describe(turned(cached[view.window], view.turn))


def _unit(values: Floats) -> Floats:
    """Without the mean brightness (the first coefficient), and of length 1: brightness and contrast don't count."""
    rows = values.reshape(len(values), -1)[:, 1:]
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))


def _natural_power() -> npt.NDArray[np.float64]:
    vertical, horizontal = np.mgrid[:FREQUENCIES, :FREQUENCIES]
    power = 1.0 / (vertical**2 + horizontal**2).ravel()[1:]
    return np.asarray(power / power.sum())


@cache
def _waves(start: float, length: float) -> Floats:
    """Cosines over a window, (10, 64), each of length 1; a pixel that the window covers in part counts in part."""
    pixels = np.arange(SIDE)
    covered = np.clip(np.minimum(pixels + 1, start + length) - np.maximum(pixels, start), 0, 1)
    phase = np.pi * (pixels + 0.5 - start) / length
    waves = np.cos(np.arange(FREQUENCIES)[:, None] * phase) * covered
    return np.asarray(waves / np.linalg.norm(waves, axis=1, keepdims=True), dtype=np.float32)
