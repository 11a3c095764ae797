"""Batches of the faces in what a command is to look at, cut out as the run's training pictures were."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from finegrained_crl.data.reading import Item, ReadBatch, Views, collate, pixels_of
from finegrained_crl.data.transforms import shrunk
from finegrained_crl.data.video import frames
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.crop import FaceCrop, crop_from_dict
from finegrained_crl.faces.detector import Detector
from finegrained_crl.faces.prepare import NO_FACE, chosen, face_row
from finegrained_crl.training.inputs import Inputs
from finegrained_crl.training.predictor import Predictor

DRAWN_SIDE = 1200
"""Most pixels of the shorter side of an annotated picture."""


@dataclass(frozen=True)
class Photograph:
    """Where faces come from.

    Attributes:
        name: what rows call it.
        faces: how many of them are classified.
        pixels: uint8, (height, width, 3), smaller by `scale`; None where nothing is drawn.
        scale: of `pixels` to the photograph.
    """

    name: str
    faces: int
    pixels: np.ndarray | None = None
    scale: float = 1.0


class FoundFace(NamedTuple):
    """A face, and what is known of it: its number in the photograph, score, box and landmarks."""

    photograph: Photograph
    row: dict[str, Any]


class FaceBatch(NamedTuple):
    """Faces to classify: their pictures, as of other pictures, and where each is."""

    read: ReadBatch
    faces: list[FoundFace]


class Looked(NamedTuple):
    """What one picture gives: its faces as items to classify, or what is wrong with it, (name, why)."""

    faces: list[tuple[Item, FoundFace]]
    errors: list[tuple[str, str]]


@dataclass(frozen=True)
class FaceFinder:
    """Looks for faces in one picture after the other.

    Attributes:
        crop: how faces are chosen and cut.
        detector: finds them.
        convert: as for `read_image`.
        keep_pictures: keep a picture of each photograph, for drawing.
    """

    crop: FaceCrop
    detector: Detector
    convert: bool
    keep_pictures: bool

    def look(self, item: Item) -> Looked:
        """The faces of a picture; a label that is stated of it speaks of the largest."""
        try:
            pixels = pixels_of(item, convert=self.convert)
        except FinegrainedError as error:
            return Looked([], [(item.name, str(error))])
        taken = [face for face, reason in chosen(self.detector.find(pixels), self.crop) if not reason]
        if not taken:
            least = f"of at least {self.crop.min_size} px and score {self.crop.min_score:g}"
            return Looked([], [(item.name, f"{item.name}: {NO_FACE} {least}")])
        photograph = self._photograph(item.name, len(taken), pixels)
        faces = []
        for number, face in enumerate(taken):
            cut = Item(self.crop.cut(pixels, face), item.name, item.label if number == 0 else "")
            faces.append((cut, FoundFace(photograph, {"face": number, **face_row(face)})))
        return Looked(faces, [])

    def _photograph(self, name: str, faces: int, pixels: np.ndarray) -> Photograph:
        if not self.keep_pictures:
            return Photograph(name, faces)
        side = min(pixels.shape[:2])
        small = pixels if side <= DRAWN_SIDE else shrunk(pixels, DRAWN_SIDE)
        return Photograph(name, faces, small, min(small.shape[:2]) / side)


def crop_of(predictor: Predictor, margin: float | None) -> FaceCrop:
    """The run's own crop, or the default one, with another margin where that is asked for.

    Raises:
        FinegrainedError: a margin outside of its range.
    """
    crop = crop_from_dict(predictor.face_crop or {})
    return crop if margin is None else dataclasses.replace(crop, margin=margin)


def face_batches(
    predictor: Predictor,
    inputs: Inputs,
    crop: FaceCrop,
    *,
    convert: bool | None = None,
    batch_size: int = 32,
    every: int = 1,
    most: int | None = None,
    keep_pictures: bool = False,
) -> Iterator[FaceBatch]:
    """The faces of all pictures and frames, in their order, the largest of each first.

    What can't be read, and what shows no face, is an error of its batch. A label of a table speaks of the largest face.

    Args:
        predictor: the run.
        inputs: what to look at.
        crop: how faces are chosen and cut.
        convert: convert CMYK, 16-bit and transparent pictures; None: as the run did.
        batch_size: faces per batch.
        every: every N-th frame of a stream.
        most: so many frames of each stream; None: all.
        keep_pictures: keep a picture of each photograph, for drawing.
    """
    read_as_run = predictor.reader([], convert=convert)
    finder = FaceFinder(crop, Detector(crop.min_size), read_as_run.convert, keep_pictures)
    waiting: list[tuple[Item, FoundFace]] = []
    for looked in _all_looked_at(finder, inputs, every, most):
        waiting += looked.faces
        while len(waiting) >= batch_size or looked.errors:
            yield _batch(waiting[:batch_size], read_as_run, looked.errors)
            waiting, looked = waiting[batch_size:], Looked([], [])
    if waiting:
        yield _batch(waiting, read_as_run, [])


def _all_looked_at(finder: FaceFinder, inputs: Inputs, every: int, most: int | None) -> Iterator[Looked]:
    """Pictures, then streams; a stream that can't be read is told and stops nobody."""
    for item in inputs.items:
        yield finder.look(item)
    for source in inputs.streams:
        try:
            for item in frames(source, every=every, most=most):
                yield finder.look(item)
        except FinegrainedError as error:
            yield Looked([], [(source, str(error))])


def _batch(faces: list[tuple[Item, FoundFace]], views: Views, errors: list[tuple[str, str]]) -> FaceBatch:
    read = collate([Views([item], views.transform, convert=False)[0] for item, _ in faces])
    return FaceBatch(read._replace(errors=errors), [found for _, found in faces])
