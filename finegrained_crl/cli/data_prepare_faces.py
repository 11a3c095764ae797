"""`fgcrl data prepare faces PHOTOS`: a data set of faces that are found, turned upright and cut out alike."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl import escaping
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.cli.progress import bar
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.faces.crop import FaceCrop
    from finegrained_crl.faces.prepare import FacePreparation

summary = "find the faces of photographs and cut them out upright, alike, in the photographs' folders"
example = "fgcrl data prepare faces photos/ --out faces/"
SHOWN = 20
"""Bad files that are told one by one; the manifest has all."""


def main(argv: list[str]) -> int:
    """Prepare faces, or go on with a preparation that was interrupted; exit code 1 where a photograph can't be read."""
    arguments = _parser().parse_args(argv)
    from finegrained_crl.faces.prepare import prepare_faces

    work = _work(arguments)
    with bar("finding faces") as progress:
        note, failed = prepare_faces(work, progress)
    for why in failed[:SHOWN]:
        print(f"not read: {escaping.plain(why)}", file=sys.stderr)
    if len(failed) > SHOWN:
        print(f"not read: {len(failed) - SHOWN} more, all in {work.out / 'manifest.csv'}", file=sys.stderr)
    print(json.dumps(note, indent=2) if arguments.json else _told(note, work))
    return 1 if failed else 0


def _told(note: dict[str, Any], work: FacePreparation) -> str:
    lines = [f"{note['pictures']} faces of {note['photographs']} photographs in {work.out}"]
    if note["skipped"]:
        left = ", ".join(f"{count} {reason}" for reason, count in sorted(note["skipped"].items()))
        lines.append(f"left out: {left}; manifest.csv says which")
    if work.labels is not None:
        lines.append(f"train on {work.out / 'labels.csv'}: the rows of your table whose photograph gave a face")
    return "\n".join(lines)


def _work(arguments: argparse.Namespace) -> FacePreparation:
    from finegrained_crl.faces.prepare import FacePreparation
    from finegrained_crl.training.inputs import TABLES

    given, out = Path(arguments.photos), Path(arguments.out)
    how = {"crop": _crop(arguments), "largest": arguments.largest, "convert": arguments.convert_images}
    if given.suffix.lower() in TABLES and given.is_file():
        return _of_table(given, arguments.path_column, arguments.image_root, out, how)
    return FacePreparation(_photographs(arguments.photos, out), out, **how)


def _crop(arguments: argparse.Namespace) -> FaceCrop:
    from finegrained_crl.faces.crop import FaceCrop

    return FaceCrop(arguments.margin, arguments.size, arguments.min_score, arguments.min_size)


def _photographs(given: str, out: Path) -> dict[str, Path]:
    """Photographs by their place below the folder, or below the one that all of them are in."""
    from finegrained_crl.data.identity import require_unicode
    from finegrained_crl.training.inputs import find_pictures

    paths = find_pictures(given)
    home = Path(given) if Path(given).is_dir() else Path(os.path.commonpath([path.parent for path in paths]))
    if out.resolve().is_relative_to(home.resolve()) and Path(given).is_dir():
        raise FinegrainedError(f"--out {out} lies among the photographs in {home}: choose another folder")
    names = {path.relative_to(home).as_posix(): path for path in paths}
    require_unicode(names, home)
    return names


def _of_table(table: Path, column: str, root: str, out: Path, how: dict[str, Any]) -> FacePreparation:
    """A label speaks of one face: the largest of each photograph is taken."""
    from finegrained_crl.data.identity import plain_path
    from finegrained_crl.data.records import escapes_root
    from finegrained_crl.data.tables import read_table
    from finegrained_crl.errors import nearest
    from finegrained_crl.faces.prepare import FacePreparation

    labels = read_table(table, needed=[column])
    if column not in labels:
        raise FinegrainedError(
            f"{table} has no column '{column}': {nearest(column, labels.columns)}; choose with --path-column"
        )
    labels[column] = labels[column].map(plain_path)
    names = dict.fromkeys(name for name in labels[column] if name)
    outside = next((name for name in names if escapes_root(name)), None)
    if outside or not names:
        raise FinegrainedError(f"{table}: {f'{outside} leads out of its folder' if outside else 'it names no picture'}")
    photographs = {name: table.parent / root / name for name in names}
    return FacePreparation(photographs, out, **{**how, "largest": True}, labels=labels, path_column=column)


def _parser() -> Parser:
    parser = Parser(prog="fgcrl data prepare faces", description=summary, epilog=f"example: {example}")
    parser.add_argument(
        "photos",
        metavar="PHOTOS",
        help="folder (its sub-folders are kept), picture, quoted glob, or table of labels (.csv, .tsv, .parquet: the"
        " largest face of each photograph)",
    )
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder for the faces; goes on with an unfinished one"
    )
    parser.add_argument(
        "--margin", type=float, default=0.4, metavar="X", help="share of the box added on each side [0.4]"
    )
    parser.add_argument("--size", type=int, default=320, metavar="N", help="pixels of a side [320]")
    parser.add_argument("--min-score", type=float, default=0.8, metavar="X", help="of the detector, 0.5 to 0.99 [0.8]")
    parser.add_argument(
        "--min-size", type=int, default=60, metavar="N", help="pixels of the smallest face; small ones take longer [60]"
    )
    parser.add_argument("--largest", action="store_true", help="only the largest face of each photograph")
    parser.add_argument("--path-column", default="path", metavar="NAME", help="column of a table [path]")
    parser.add_argument("--image-root", default="", metavar="DIR", help="folder of a table's paths, relative to it")
    parser.add_argument("--convert-images", action="store_true", help="convert CMYK, 16-bit and transparent images")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser
