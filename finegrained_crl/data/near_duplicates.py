"""Near-duplicates: copies that were re-encoded, resized, brightened, mirrored, turned, cropped, framed or stamped.

Two steps. Descriptors nominate pairs (`descriptors.py`): all pictures against all views of all others, as matrix
products. The two of each pair are then laid on one another, and their fine structure is compared (`alignment.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from finegrained_crl.data.alignment import likeness, window_warp
from finegrained_crl.data.descriptors import Floats, View, Whitening, turned_pixels
from finegrained_crl.data.looks import SIDE, Look

NOMINATED = 0.6
"""Cosine of two descriptors. Copies have more (see docs/data.md), a pair of other pictures in ten thousand too."""
NEAR = 0.86
"""Likeness of aligned pictures: copies have more (docs/data.md), the most alike other pictures that we have .851 (two
Audis in one studio).
"""
MOST_PARTNERS = 12
"""Pairs of one picture in one view that are looked at: in a film every picture is like hundreds of others."""
ROWS, COLUMNS = 512, 4096
THREADS = 2


class NearPair(NamedTuple):
    """Two pictures, one a copy of the other.

    Attributes:
        first: path; second: of the other.
        likeness: once aligned, in [-1, 1].
        how: what was done to one of them, in words; "" for what leaves the geometry alone.
    """

    first: str
    second: str
    likeness: float
    how: str


class _Nominee(NamedTuple):
    """Picture `seen` under a view is like picture `as_it_is` (one of `_Gallery`)."""

    cosine: float
    seen: int
    as_it_is: int
    view: View


class _Gallery(NamedTuple):
    """Every picture as it is, and those with a border once more without it; `owners` says whose each row is."""

    pixels: Floats
    owners: np.ndarray
    trimmed: np.ndarray


def near_duplicates(looks: Mapping[str, Look], digests: Mapping[str, str], near: float = NEAR) -> list[NearPair]:
    """Find pairs of pictures of which one is a copy of the other.

    Args:
        looks: path -> the picture in small.
        digests: path -> SHA-256; pairs of equal bytes are left out.
        near: least likeness once aligned.
    Returns:
        each pair once, in the order of the paths.
    """
    paths = [path for path, look in looks.items() if not look.is_blank]
    if len(paths) < 2:
        return []
    gallery = _gallery([looks[path] for path in paths])
    nominees = [
        n
        for n in _nominate(gallery)
        if digests[paths[_owner(gallery, n.seen)]] != digests[paths[_owner(gallery, n.as_it_is)]]
    ]
    with ThreadPoolExecutor(THREADS) as pool:  # OpenCV lets other threads run meanwhile
        likenesses = list(pool.map(lambda nominee: _likeness(gallery.pixels, nominee), nominees))
    best: dict[tuple[int, int], NearPair] = {}
    for nominee, alike in zip(nominees, likenesses, strict=True):
        one, other = sorted((_owner(gallery, nominee.seen), _owner(gallery, nominee.as_it_is)))
        if alike >= near:
            best[one, other] = NearPair(paths[one], paths[other], round(alike, 3), _how(nominee, gallery))
    return [best[key] for key in sorted(best)]


def _likeness(pixels: Floats, nominee: _Nominee) -> float:
    moving = turned_pixels(pixels[nominee.seen], nominee.view.turn)
    return likeness(pixels[nominee.as_it_is], moving, window_warp(nominee.view.window, SIDE))


def _gallery(looks: list[Look]) -> _Gallery:
    bordered = [i for i, look in enumerate(looks) if look.trimmed is not None]
    pixels = np.stack(
        [look.full for look in looks]
        + [look.trimmed for look in (looks[i] for i in bordered) if look.trimmed is not None]
    )
    owners = np.array([*range(len(looks)), *bordered])
    return _Gallery(pixels.astype(np.float32), owners, np.arange(len(owners)) >= len(looks))


def _owner(gallery: _Gallery, row: int) -> int:
    return int(gallery.owners[row])


def _nominate(gallery: _Gallery) -> list[_Nominee]:
    """The best view of each pair of rows whose descriptors are near enough in any."""
    whole = ~gallery.trimmed
    whitening = Whitening(gallery.pixels[whole])
    targets = np.ascontiguousarray(next(whitening.all_views(gallery.pixels))[1].T)
    best: dict[tuple[int, int], _Nominee] = {}
    for view, seen in whitening.all_views(gallery.pixels[whole]):
        # Of whole pictures each pair is looked at once: A mirrored is like B where B mirrored is like A.
        for row, column, cosine in _close(seen, targets, halved=view.is_whole):
            one, other = _owner(gallery, row), _owner(gallery, column)
            key = (min(one, other), max(one, other))
            if one != other and (key not in best or best[key].cosine < cosine):
                best[key] = _Nominee(cosine, row, column, view)
    return list(best.values())


def _close(seen: Floats, targets: Floats, *, halved: bool) -> Iterator[tuple[int, int, float]]:
    """Rows and columns with a cosine of `NOMINATED` or more, in blocks that stay in the processor's cache.

    Args:
        seen: (n, d) descriptors under a view.
        targets: (d, n) of the pictures as they are.
        halved: blocks of columns before the rows are left out.
    """
    size = len(seen)
    for top in range(0, size, ROWS):
        for left in range(top if halved else 0, targets.shape[1], COLUMNS):
            cosines = seen[top : top + ROWS] @ targets[:, left : left + COLUMNS]
            if cosines.max() >= NOMINATED:
                yield from _best_of(cosines, top, left)


def _best_of(cosines: Floats, top: int, left: int) -> Iterator[tuple[int, int, float]]:
    for row in np.flatnonzero((cosines >= NOMINATED).any(axis=1)):
        columns = np.flatnonzero(cosines[row] >= NOMINATED)
        columns = columns[np.argsort(-cosines[row, columns], kind="stable")[: MOST_PARTNERS + 1]]  # itself among them
        for column in columns:
            yield int(top + row), int(left + column), float(cosines[row, column])


TURNS = {
    1: "mirrored",
    2: "mirrored upside down",
    3: "turned by 180 degrees",
    4: "mirrored and turned by 90 degrees",
    5: "turned by 90 degrees",
    6: "turned by 90 degrees",
    7: "mirrored and turned by 90 degrees",
}


def _how(nominee: _Nominee, gallery: _Gallery) -> str:
    words = [TURNS[nominee.view.turn]] if nominee.view.turn else []
    words += [] if nominee.view.is_whole else ["cropped"]
    words += ["bordered"] if gallery.trimmed[[nominee.seen, nominee.as_it_is]].any() else []
    return ", ".join(words)
