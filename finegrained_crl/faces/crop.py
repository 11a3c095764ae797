"""Faces cut out alike: turned upright by eyes and mouth, square, with a margin, of one size.

A margin of 0.4 of the box on each side is what DEX used for IMDB-WIKI, and shows hair, ears and chin as Adience's
aligned faces do; what lies beyond the photograph repeats its last pixel, as there.

Source: Rothe, Timofte and Van Gool, 2018, Deep expectation of real and apparent age from a single image; Eidinger,
    Enbar and Hassner, 2014, Age and gender estimation of unfiltered faces (alignment in the plane).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.face import Face, Pixels, around, upright_warp

LARGEST_WARP = 4096
"""Pixels of a side beyond which a face is shrunk by the warp itself."""


@dataclass(frozen=True)
class FaceCrop:
    """How faces are chosen and cut out.

    Attributes:
        margin: share of the box's longer side that is added on each side.
        size: pixels of a side of the crop.
        min_score: of the detector, in [0.5, 1).
        min_size: pixels of the longer side of a face's box.
    """

    margin: float = 0.4
    size: int = 320
    min_score: float = 0.8
    min_size: int = 60

    def __post_init__(self) -> None:
        ranges = {"margin": (0, 3), "size": (16, 4096), "min_score": (0.5, 0.99), "min_size": (10, 8192)}
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:
                flag = "--" + name.replace("_", "-")
                raise FinegrainedError(f"{flag} must be from {least} to {most}, got {value:g}")

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @property
    def text(self) -> str:
        """In words, for a protocol."""
        return f"faces cut out upright, margin {self.margin:g}, {self.size} px"

    def refused(self, face: Face) -> str:
        """Why a face is not taken, "" where it is."""
        if face.score < self.min_score:
            return f"score {face.score:.2f} below {self.min_score:g}"
        if face.size < self.min_size:
            return f"{face.size:.0f} px, smaller than {self.min_size}"
        return ""

    def cut(self, pixels: Pixels, face: Face) -> Pixels:
        """The face, uint8 (size, size, 3).

        Args:
            pixels: uint8, (height, width, 3), the photograph.
            face: in it.
        """
        import cv2

        side = face.size * (1 + 2 * self.margin)
        finer = max(1, min(math.ceil(side / self.size), LARGEST_WARP // self.size))  # pixels are means: no aliasing
        out = finer * self.size
        near, left, upper = around(pixels, face, side)
        warp = upright_warp(face, side, out) - np.array([[0, 0, left], [0, 0, upper]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        upright = cv2.warpAffine(near, warp, (out, out), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.resize(upright, (self.size, self.size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def crop_from_dict(values: Any) -> FaceCrop:
    """A crop that was written by `as_dict`.

    Raises:
        FinegrainedError: not that.
    """
    try:
        return FaceCrop(**values)
    except TypeError as error:
        raise FinegrainedError(
            f"this is no way to cut out faces: {values} ({error}); prepare the faces again"
        ) from error
