"""A data set of faces from photographs: each face cut out like the others, in the folders of its photograph.

`manifest.csv` has a row per face, and per photograph without one, with its box, score and landmarks, or why it was
left out; PREPARED.json how faces were cut, which runs record and `fgcrl predict --faces` applies. Both are written
last, and a preparation that was interrupted goes on.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl import escaping, files
from finegrained_crl.data.images import read_image
from finegrained_crl.data.picture_files import PixelBudget, open_picture
from finegrained_crl.data.picture_source import source_sha256
from finegrained_crl.data.prepared import MANIFEST, NOTE, PROGRESS, QUALITY
from finegrained_crl.data.regular import sha256_of
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.crop import FaceCrop
from finegrained_crl.faces.detector import SHA256, Detector
from finegrained_crl.faces.face import Face, Pixels, tilt

LABELS = "labels.csv"
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
BOX = ("box_left", "box_upper", "box_width", "box_height")
LONGEST_NAME = 200
"""Bytes of a photograph's name; file systems take 255, and a hidden name is longer while it is written."""
NO_FACE, NOT_LARGEST = "no face found", "not the largest"
FACE_COLUMNS = ("face_score", *BOX, *(f"{point}_{axis}" for point in POINTS for axis in "xy"), "tilt")
COLUMNS = ("original", "file", "face", "skipped", *FACE_COLUMNS, "source_sha256", "sha256")

Row = dict[str, Any]


@dataclass(frozen=True)
class FacePreparation:
    """What is to be done.

    Attributes:
        photographs: where each is, by what it is called in the new data set (a relative path).
        out: folder of the new data set.
        crop: how faces are chosen and cut.
        largest: take one face of each photograph, the largest.
        convert: as for `read_image`.
        labels: a table whose column `path_column` names photographs; its rows go on with the faces' paths.
        path_column: of `labels`.
    """

    photographs: dict[str, Path]
    out: Path
    crop: FaceCrop = field(default_factory=FaceCrop)
    largest: bool = False
    convert: bool = False
    labels: pd.DataFrame | None = None
    path_column: str = "path"

    @property
    def what(self) -> Row:
        """What tells one preparation from another."""
        how = {"faces": self.crop.as_dict(), "largest": self.largest, "quality": QUALITY, "detector_sha256": SHA256}
        return {"text": self.crop.text, **how, "convert": self.convert}


def prepare_faces(work: FacePreparation, progress: Callable[[int, int], None] | None = None) -> tuple[Row, list[str]]:
    """Cut out the faces, or go on with it.

    Args:
        work: what.
        progress: called with (photographs done, photographs in all).
    Returns:
        the content of PREPARED.json; what is wrong with the photographs that could not be read, one line each.
    Raises:
        FinegrainedError: the folder holds something else, or the disk is full; what was cut stays, and the same command
            goes on.
    """
    detector = Detector(work.crop.min_size)
    before = _begun(work)
    budget, done = PixelBudget(), list[Row]()
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        with (work.out / PROGRESS).open("a", encoding="utf-8") as log:
            one = lambda name: _one(work, detector, budget, name, before.get(name))  # noqa: E731
            for told in pool.map(one, work.photographs):
                done.append(told)
                if before.get(told["original"]) != told:
                    log.write(json.dumps(told) + "\n")
                    log.flush()
                if progress:
                    progress(len(done), len(work.photographs))
    finally:
        pool.shutdown(cancel_futures=True)
    return _finish(work, done), [told["failed"] for told in done if told["failed"]]


def face_row(face: Face) -> Row:
    """What is known of a face, by `FACE_COLUMNS`; pixels of the photograph, its EXIF orientation applied."""
    numbers = [face.score, *face.box, *face.landmarks.ravel().tolist(), tilt(face)]
    return {
        name: round(float(value), 4 if name == "face_score" else 1)
        for name, value in zip(FACE_COLUMNS, numbers, strict=True)
    }


def chosen(faces: list[Face], crop: FaceCrop, *, only_largest: bool = False) -> Iterator[tuple[Face, str]]:
    """Each face, the largest first, with why it is left out ("" where it is taken)."""
    taken = 0
    for face in faces:
        reason = crop.refused(face)
        if not reason and only_largest and taken:
            reason = NOT_LARGEST
        taken += not reason
        yield face, reason


def _begun(work: FacePreparation) -> dict[str, Row]:
    """Photograph -> what an earlier, interrupted preparation told of it."""
    out, first = work.out, json.dumps(work.what)
    if (out / NOTE).is_file():
        raise FinegrainedError(f"{out} is finished: choose another --out, or remove it")
    begun = out / PROGRESS
    if not begun.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise FinegrainedError(f"{out} is not empty: choose another --out")
        files.make_folder(out)
        files.write_text(begun, first + "\n")
        return {}
    stored, *lines = begun.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    if stored != first:
        raise FinegrainedError(f"{out} holds the beginning of another preparation ({stored}): choose another --out")
    told = [row for line in lines if (row := _row_of(line))]
    return {row["original"]: row for row in told}


def _row_of(line: str) -> Row | None:
    """A line of progress; a kill may have cut the last one off, and a damaged one is done again."""
    try:
        told = json.loads(line)
        texts = [told["original"], told["failed"], told["source_sha256"]]
        texts += [text for row in told["rows"] if row.get("file") for text in (row["file"], row["sha256"])]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return told if all(isinstance(text, str) for text in texts) else None


def _one(work: FacePreparation, detector: Detector, budget: PixelBudget, name: str, before: Row | None) -> Row:
    """Cut out the faces of one photograph, unless that was done; one that can't be read is told and stops nobody."""
    try:
        digest = source_sha256(work.photographs[name])
        if before is not None and _is_done(work, before, digest):
            return before
        cut = _cut(work, detector, budget, name)
    except FinegrainedError as error:
        failed = str(error)
        return {"original": name, "source_sha256": "", "failed": failed, "rows": [{"skipped": failed}]}
    for row, content in cut:
        if content:  # outside of the above: a full disk is no fault of the photograph
            files.write_bytes(work.out / row["file"], content)
    rows = [row for row, _ in cut]
    return {"original": name, "source_sha256": digest, "failed": "", "rows": rows or [{"skipped": NO_FACE}]}


def _is_done(work: FacePreparation, before: Row, digest: str) -> bool:
    """Whether the photograph is the one that was told of, and its faces are as they were written."""
    if before["failed"] or before["source_sha256"] != digest:
        return False
    cut = [row for row in before["rows"] if row.get("file")]
    return all((work.out / row["file"]).is_file() and sha256_of(work.out / row["file"]) == row["sha256"] for row in cut)


def _cut(work: FacePreparation, detector: Detector, budget: PixelBudget, name: str) -> list[tuple[Row, bytes]]:
    """A row per face, and its JPEG file; no bytes for one that is left out."""
    path = work.photographs[name]
    with open_picture(path) as opened:
        size = opened.width * opened.height
    cut = []
    with budget.hold(size):
        pixels = read_image(path, convert=work.convert)
        faces = detector.find(pixels)
        for number, (face, reason) in enumerate(chosen(faces, work.crop, only_largest=work.largest)):
            row, content = {"face": number, "skipped": reason, **face_row(face)}, b""
            if not reason:
                content = _encoded(work.crop.cut(pixels, face))
                row |= {"file": _file_name(name, number), "sha256": hashlib.sha256(content).hexdigest()}
            cut.append((row, content))
    return cut


def _file_name(name: str, number: int) -> str:
    """`a/b.jpg` -> `a/b.jpg.face0.jpg`; a name that would become too long for a file is cut and gets its hash."""
    folder, slash, own = name.rpartition("/")
    if len(os.fsencode(own)) > LONGEST_NAME:
        own = escaping.file_name(own)
    return f"{folder}{slash}{own}.face{number}.jpg"


def _encoded(pixels: Pixels) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()


def _finish(work: FacePreparation, done: list[Row]) -> Row:
    shared = ("original", "source_sha256")
    rows = [{name: told[name] for name in shared} | row for told in done for row in told["rows"]]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"face": "Int64"})
    files.write_text(work.out / MANIFEST, table.to_csv(index=False))
    if work.labels is not None:
        files.write_text(work.out / LABELS, _labels(work, table).to_csv(index=False))
    why = Counter(_kind(reason) for reason in table["skipped"].fillna("") if reason)
    counts = {"photographs": len(done), "pictures": int(table["file"].notna().sum())}
    note = {**work.what, **counts, "failed": sum(bool(told["failed"]) for told in done), "skipped": dict(why)}
    files.write_json(work.out / NOTE, note)
    (work.out / PROGRESS).unlink()
    return note


def _kind(reason: str) -> str:
    """A reason without its numbers, for counting."""
    if reason.startswith("score "):
        return "score too low"
    if " px, smaller than " in reason:
        return "too small"
    return reason if reason in (NO_FACE, NOT_LARGEST) else "unreadable"


def _labels(work: FacePreparation, table: pd.DataFrame) -> pd.DataFrame:
    """The user's rows whose photograph gave a face, with the face's path."""
    assert work.labels is not None
    taken = table[table["file"].notna()]
    file_of = dict(zip(taken["original"], taken["file"], strict=True))
    faces = work.labels[work.path_column].map(lambda name: file_of.get(name))
    labels = work.labels.assign(**{work.path_column: faces})
    return labels[faces.notna()]
