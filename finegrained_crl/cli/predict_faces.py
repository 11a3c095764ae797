"""`fgcrl predict --faces`: a row per face of each photograph, and annotated pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl import at_once, escaping, files
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.cli.answer_table import ErrorTable
    from finegrained_crl.data.reading import ReadBatch
    from finegrained_crl.faces.crop import FaceCrop
    from finegrained_crl.training.answers import Answers
    from finegrained_crl.training.face_batches import Photograph
    from finegrained_crl.training.inputs import Inputs
    from finegrained_crl.training.predictor import Predictor

Row = dict[str, Any]


def check(arguments: argparse.Namespace) -> None:
    """Refuse flags that speak of faces without `--faces`, and a place for pictures that is taken."""
    for flag, value in {"--face-margin": arguments.face_margin, "--draw": arguments.draw}.items():
        if value is not None and not arguments.faces:
            raise FinegrainedError(f"{flag} is for faces: add --faces")
    if arguments.draw is not None:
        at_once.require_absent(Path(arguments.draw), "--draw")


def columns(of_answers: Sequence[str]) -> tuple[str, ...]:
    """Of a row: those of the face stand behind the path."""
    from finegrained_crl.faces.prepare import FACE_COLUMNS

    return (of_answers[0], "face", *FACE_COLUMNS, *of_answers[1:])


def choose_crop(predictor: Predictor, margin: float | None) -> FaceCrop:
    """The crop that the run was trained with; where it holds none, that is told."""
    from finegrained_crl.training.face_batches import crop_of

    crop = crop_of(predictor, margin)
    if predictor.face_crop is None and margin is None:
        print(
            f"{predictor.run.folder} does not say how its faces were cut (its data was not made by `fgcrl data prepare"
            f" faces`): taking a margin of {crop.margin:g}; --face-margin sets another",
            file=sys.stderr,
        )
    return crop


def answered(
    predictor: Predictor, answers: Answers, inputs: Inputs, arguments: argparse.Namespace, errors: ErrorTable
) -> Iterator[tuple[ReadBatch, list[Row]]]:
    """Each batch of faces with its rows; what could not be read, or shows no face, goes to the errors."""
    from finegrained_crl.training.face_batches import face_batches

    pictures = Pictures(Path(arguments.draw)) if arguments.draw else None
    batches = face_batches(
        predictor,
        inputs,
        choose_crop(predictor, arguments.face_margin),
        convert=True if arguments.convert_images else None,
        batch_size=arguments.batch_size,
        every=arguments.every,
        most=arguments.frames,
        keep_pictures=pictures is not None,
    )
    for batch, faces in batches:
        ((_, scores),) = predictor.scored([batch])
        errors.add(batch.errors)
        told = answers.rows(batch.names, scores)
        rows = [{**row, **face.row} for row, face in zip(told, faces, strict=True)]
        if pictures:
            for row, face in zip(rows, faces, strict=True):
                pictures.add(face.photograph, row)
        order = columns(answers.columns)
        yield batch, [{column: row[column] for column in order} for row in rows]


class Pictures:
    """Annotated pictures in a folder, each written when the last face of its photograph is answered.

    Args:
        folder: made with the first picture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, set[str]()
        self._rows: list[Row] = []

    def add(self, photograph: Photograph, row: Row) -> None:
        """Mark a face; those of one photograph come one after the other."""
        from finegrained_crl.faces.drawing import annotated

        self._rows.append(row)
        if len(self._rows) < photograph.faces or photograph.pixels is None:
            return
        faces = [(row, said(row)) for row in self._rows]
        content = annotated(photograph.pixels, photograph.scale, faces)
        files.write_bytes(self.folder / self._name(photograph.name), content, durable=False)
        self._rows = []

    def _name(self, photograph: str) -> str:
        own = f"{escaping.file_name(Path(photograph).name)}.jpg"
        if own in self.names:  # of another folder
            own = f"{escaping.file_name(photograph)}.jpg"
        self.names.add(own)
        return own


def said(row: Mapping[str, Any]) -> str:
    """What a picture says of a face.

    >>> said({"class": "25-32", "probability": 0.61}), said({"age": 31.4, "class": "31", "probability": 0.1})
    ('25-32 61 %', '31 years')
    """
    return f"{row['age']:.0f} years" if "age" in row else f"{row['class']} {100 * row['probability']:.0f} %"
