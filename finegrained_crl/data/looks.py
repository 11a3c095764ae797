"""A picture in small, as a viewer would show it: upright, grey, square, and once more without its border."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from finegrained_crl.data.images import to_rgb
from finegrained_crl.data.picture_files import PixelBudget, open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 64
UNIFORM = 14
"""Grey values by which a border's pixels may differ from its median: JPEG's noise beside an edge."""
LEAST_KEPT = 0.25
"""Of height and width: a picture that is nearly all border keeps it."""
LARGEST = 1024
"""Side beyond which a picture is reduced first, coarsely and quickly."""
BLANK = 2.0
"""Standard deviation of the grey values below which there is nothing to compare."""

Grey = npt.NDArray[np.uint8]


class Look(NamedTuple):
    """A picture in small.

    Attributes:
        full: uint8, (side, side), grey.
        trimmed: the same without a border of one colour; None where there is none.
    """

    full: Grey
    trimmed: Grey | None

    @property
    def is_blank(self) -> bool:
        """Whether it shows nothing: all such pictures look the same."""
        return bool(self.full.std() < BLANK)


def look_at(path: Path, side: int = SIDE, budget: PixelBudget | None = None) -> Look:
    """Decode a picture in small; of several in a file the first.

    Args:
        path: the file.
        side: pixels of its sides; the picture is squeezed into a square.
        budget: of pixels that may be in work at once, where several threads look.
    Raises:
        FinegrainedError: it can't be read.
    """
    with open_picture(path) as opened:
        # A JPEG is decoded at an eighth to the whole of its size, whichever is the first that has the pixels, and its
        # grey values alone.
        opened.draft("L", (2 * side, 2 * side))
        with (budget or PixelBudget()).hold(opened.width * opened.height):
            return _look(_grey(opened), side)


def _grey(opened: Image) -> Image:
    from PIL import ImageOps

    opened.load()
    ImageOps.exif_transpose(opened, in_place=True)
    plain = opened.mode == "L" and "transparency" not in opened.info
    grey = opened if plain else to_rgb(opened).convert("L")
    grey.thumbnail((LARGEST, LARGEST), reducing_gap=1.0)  # in grey: Pillow can't reduce every mode
    return grey


def _look(grey: Image, side: int) -> Look:
    box = without_border(np.asarray(grey))
    return Look(_small(grey, side), None if box is None else _small(grey.crop(box), side))


def _small(grey: Image, side: int) -> Grey:
    from PIL.Image import Resampling

    enlarged = min(grey.size) < side
    return np.asarray(grey.resize((side, side), Resampling.BILINEAR if enlarged else Resampling.BOX))


def without_border(grey: Grey) -> tuple[int, int, int, int] | None:
    """The box (left, upper, right, lower) inside a border of one colour a side; None where there is no border, or
    little else.
    """
    height, width = grey.shape
    left, upper, right, lower = box = 0, 0, width, height
    while True:  # where the sides have two colours, one shows its whole length only when the other is gone
        rows = grey[upper:lower, left:right].astype(np.int16)
        upper, lower = upper + _border(rows), lower - _border(rows[::-1])
        columns = grey[upper:lower, left:right].astype(np.int16).T
        if lower - upper < LEAST_KEPT * height:
            return None
        left, right = left + _border(columns), right - _border(columns[::-1])
        if right - left < LEAST_KEPT * width:
            return None
        if (left, upper, right, lower) == box:
            return None if box == (0, 0, width, height) else box
        box = left, upper, right, lower


def _border(rows: npt.NDArray[np.int16]) -> int:
    """How many rows from the first on have the first one's colour; one pixel in fifty may be another."""
    different = np.abs(rows - np.median(rows[0])) > UNIFORM
    ends = np.flatnonzero(different.mean(axis=1) > 0.02)
    return int(ends[0]) if len(ends) else len(rows)
