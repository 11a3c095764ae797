"""A copy of a data set with smaller pictures, in the same layout: decoded faster, read by the same reader.

Every listed picture is resized to a short side (area interpolation, as training does it) and encoded once more in its
own format; a smaller one is copied as it is, annotations too. PREPARED.json says what was done, manifest.csv holds the
SHA-256 of every picture before and after; both are written last, and a copy that was interrupted goes on.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl import files
from finegrained_crl.data.content_hashes import content_hashes
from finegrained_crl.data.images import read_image
from finegrained_crl.data.picture_files import open_picture
from finegrained_crl.data.picture_source import item_of
from finegrained_crl.data.records import Records
from finegrained_crl.data.regular import read_regular, sha256_of
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES
from finegrained_crl.data.tables import read_table
from finegrained_crl.data.transforms import shrunk
from finegrained_crl.errors import FinegrainedError

NOTE, MANIFEST, PROGRESS = "PREPARED.json", "manifest.csv", ".preparing.jsonl"
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP"}
QUALITY = 95
LARGEST_NOTE = 256 << 20
"""Bytes of an annotation file; what is larger isn't one."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Preparation:
    """What is to be done.

    Attributes:
        records: the data set.
        data: its folder, or its table.
        out: where the copy goes.
        short_side: pixels.
        convert: as for `read_image`.
    """

    records: Records
    data: Path
    out: Path
    short_side: int
    convert: bool = False

    @property
    def home(self) -> Path:
        """The folder whose layout is kept."""
        return _home(self.data).resolve()

    @property
    def what(self) -> Row:
        """What tells one preparation from another."""
        return {"source": str(self.home), "short_side": self.short_side, "quality": QUALITY}


def prepare(work: Preparation, progress: Callable[[int, int], None] | None = None) -> Row:
    """Make the copy, or go on with it.

    Args:
        work: what.
        progress: called with (pictures done, pictures in all).
    Returns:
        the content of PREPARED.json.
    Raises:
        FinegrainedError: a picture can't be read or lies elsewhere, the folder holds something else, or the disk is
            full; what was copied stays, and the same command goes on.
    """
    paths = list(dict.fromkeys(work.records.table["path"]))
    _check(work, paths)
    digests = content_hashes(work.records.root, paths)
    before = _begun(work)
    rows: list[Row] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, (work.out / PROGRESS).open("a") as log:
        for row in pool.map(lambda path: _one(work, path, digests[path], before.get(path)), paths):
            rows.append(row)
            if before.get(row["path"]) != row:
                log.write(json.dumps(row) + "\n")
                log.flush()
            if progress:
                progress(len(rows), len(paths))
    for path in _annotations(work.home):
        files.write_bytes(work.out / path.relative_to(work.home), path.read_bytes())
    return _finish(work, rows)


def prepared_note(data: Path) -> str:
    """What was done to the pictures of a data set, in words; "" for one as it was published."""
    note = _home(data) / NOTE
    if not note.is_file():
        return ""
    done = files.read_json(note)
    smaller = f"short side at most {done.get('short_side')} px"
    return f"pictures prepared: {done.get('text') or smaller}"


def face_crop_of(data: Path) -> Row | None:
    """How the faces of a data set were cut out of photographs (`fgcrl data prepare faces`); None of any other."""
    note = _home(data) / NOTE
    return files.read_json(note).get("faces") if note.is_file() else None


def changed_since(data: Path) -> list[str]:
    """Pictures of a prepared copy that are not what was written, relative to it; none of any other data set."""
    home = _home(data)
    if not (home / NOTE).is_file():  # a manifest.csv may be anybody's
        return []
    table = read_table(home / MANIFEST)
    if not {"file", "sha256"} <= set(table):
        raise FinegrainedError(f"{home / MANIFEST} is damaged (no columns file and sha256): prepare the copy again")
    now = content_hashes(home, table["file"])
    return sorted(file for file, digest in zip(table["file"], table["sha256"], strict=True) if now[file] != digest)


def _home(data: Path) -> Path:
    """The folder of a data set that is given by its folder, or by its table."""
    return data if data.is_dir() else data.parent


def _check(work: Preparation, paths: list[str]) -> None:
    root = work.records.root.resolve()
    if not root.is_relative_to(work.home):
        raise FinegrainedError(
            f"the pictures lie in {root}, outside of {work.home}: give a table that stands above them"
        )
    if work.out.resolve().is_relative_to(work.home) or work.home.is_relative_to(work.out.resolve()):
        raise FinegrainedError(
            f"--out {work.out} and the data set {work.home} lie in each other: choose another folder"
        )
    in_files = next((path for path in paths if item_of(root / path)), None)
    if in_files:
        raise FinegrainedError(
            f"{in_files} is one of many pictures in a file, which is not rewritten: train with --data-in memory"
        )
    other = next((path for path in paths if Path(path).suffix.lower() not in FORMATS), None)
    if other:
        raise FinegrainedError(f"{other}: only JPEG, PNG and WebP pictures are prepared; convert the others first")


def _begun(work: Preparation) -> dict[str, Row]:
    """Path -> row of what an earlier, interrupted preparation finished."""
    out = work.out
    if (out / NOTE).is_file():
        raise FinegrainedError(f"{out} is a finished copy: choose another --out, or remove it")
    begun = out / PROGRESS
    if not begun.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise FinegrainedError(f"{out} is not empty: choose another --out")
        files.make_folder(out)
        files.write_text(begun, json.dumps(work.what) + "\n")
        return {}
    first, *lines = begun.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    if first != json.dumps(work.what):
        raise FinegrainedError(f"{out} holds the beginning of another copy ({first}): choose another --out")
    rows = [row for line in lines if (row := _row_of(line))]
    return {row["path"]: row for row in rows}


def _row_of(line: str) -> Row | None:
    """A line of progress; a kill may have cut the last one off."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    needed = {"path", "file", "source_sha256", "sha256", "bytes", "resized"}
    return row if isinstance(row, dict) and needed <= row.keys() else None


def _one(work: Preparation, path: str, digest: str, before: Row | None) -> Row:
    """Copy or resize one picture, unless that was done."""
    source = work.records.root / path
    target = work.out / source.resolve().relative_to(work.home)
    done = before is not None and before["source_sha256"] == digest and target.is_file()
    if before is not None and done and sha256_of(target) == before["sha256"]:
        return before
    with open_picture(source) as opened:
        small = min(opened.size) <= work.short_side
    content = read_regular(source) if small else _resized(source, work)
    files.write_bytes(target, content)
    file = target.relative_to(work.out).as_posix()
    facts = {"source_sha256": digest, "sha256": sha256_of(target), "bytes": len(content), "resized": not small}
    return {"path": path, "file": file, **facts}


def _resized(source: Path, work: Preparation) -> bytes:
    from PIL import Image

    pixels = shrunk(read_image(source, convert=work.convert), work.short_side)
    kind = FORMATS[source.suffix.lower()]
    how = {} if kind == "PNG" else {"quality": QUALITY}
    whole_colour = {"subsampling": 0} if kind == "JPEG" else {}
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **how, **whole_colour)
    return out.getvalue()


def _annotations(home: Path) -> Iterator[Path]:
    """Everything but pictures, and what is hidden."""
    for path in sorted(home.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(home).parts)
        is_picture = path.suffix.lower() in IMAGE_SUFFIXES
        if path.is_file() and not is_hidden and not is_picture and path.stat().st_size <= LARGEST_NOTE:
            yield path


def _finish(work: Preparation, rows: list[Row]) -> Row:
    table = pd.DataFrame(rows, columns=["path", "file", "source_sha256", "sha256", "bytes", "resized"])
    files.write_text(work.out / MANIFEST, table.to_csv(index=False))
    sizes = {"pictures": len(table), "resized": int(table["resized"].sum()), "bytes": int(table["bytes"].sum())}
    note = {**work.what, **sizes}
    files.write_json(work.out / NOTE, note)
    (work.out / PROGRESS).unlink()
    return note
