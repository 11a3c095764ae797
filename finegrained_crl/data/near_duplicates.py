"""Near-duplicates: re-encoded, resized or slightly edited copies of a picture, nominated by a perceptual hash, then compared."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

NEAR_BITS = 12
"""Of 63. Copies at half the size and JPEG quality 50 differ in up to 12; so do one in a thousand pairs of different aligned faces,
which is why the pictures themselves are compared next."""
NEAR_CORRELATION = 0.96
"""Of the grey 32 x 32 pictures. Such copies reach .977 or more, the most alike different photos that we have .949 (two Audis), .909
(UTKFace faces)."""
CHUNK = 2000


class Look(NamedTuple):
    """A picture in small.

    Attributes:
        bits: bool, (63,), perceptual hash.
        grey: float32, (1024,), 32 x 32 grey values with mean 0 and norm 1.
    """

    bits: npt.NDArray[np.bool_]
    grey: npt.NDArray[np.float32]


def near_duplicates(looks: dict[str, Look], digests: dict[str, str], near: int = NEAR_BITS) -> list[tuple[str, str]]:
    """Find pairs of pictures that show nearly the same: hashes within `near` bits, grey values that correlate.

    Args:
        looks: path -> what the picture looks like.
        digests: path -> SHA-256; pairs of equal bytes are left out.
        near: bits of 63 in which the hashes may differ.
    Returns:
        pairs of paths, each pair once.
    """
    paths = list(looks)
    if not paths:
        return []
    signs = np.stack([looks[path].bits for path in paths]).astype(np.float32) * 2 - 1
    pairs = []
    for start in range(0, len(paths), CHUNK):
        bits = (signs.shape[1] - signs[start : start + CHUNK] @ signs.T) / 2
        pairs += [(paths[i + start], paths[j]) for i, j in np.argwhere(bits <= near + 0.5) if i + start < j]
    return [pair for pair in pairs if _looks_same(*pair, looks, digests)]


def _looks_same(one: str, other: str, looks: dict[str, Look], digests: dict[str, str]) -> bool:
    correlation = float(looks[one].grey @ looks[other].grey)
    return correlation >= NEAR_CORRELATION and digests[one] != digests[other]


def look_at(path: Path) -> Look:
    """The picture in small; the hash says which of the lowest 8 x 8 cosine frequencies (no mean) lie above their median.

    Source: Zauner, 2010, Implementation and benchmarking of perceptual image hash functions ("pHash").
    """
    from PIL import Image
    from scipy.fft import dctn

    with Image.open(path) as opened:
        small = np.asarray(opened.convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    low = dctn(small, norm="ortho")[:8, :8].ravel()[1:]
    grey = small.ravel() - small.mean()
    return Look(np.asarray(low > np.median(low)), (grey / max(float(np.linalg.norm(grey)), 1e-9)).astype(np.float32))
