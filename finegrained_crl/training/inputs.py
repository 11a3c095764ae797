"""The pictures that a command-line argument means."""

from __future__ import annotations

import glob
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from finegrained_crl.data.picture_source import is_there, items_in
from finegrained_crl.data.reading import Item
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES
from finegrained_crl.data.tables import read_table
from finegrained_crl.data.video import is_stream
from finegrained_crl.errors import FinegrainedError, nearest

TABLES = (".csv", ".tsv", ".parquet")
STANDARD_INPUT = "-"


@dataclass
class Inputs:
    """What a command is to look at.

    Attributes:
        items: pictures, with their labels where a table states them.
        streams: video files and cameras.
    """

    items: list[Item] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)


def find_inputs(given: list[str], path_column: str = "path", label_column: str = "label") -> Inputs:
    """The pictures, videos and cameras that arguments mean.

    Args:
        given: as for `find_pictures`; also video files, `camera:NUMBER`, and `-` for paths on standard input, one a
            line.
        path_column: column of a table that names the pictures.
        label_column: column of a table that states their classes, where it has it.
    Raises:
        FinegrainedError: as for `find_pictures`, or an empty standard input.
    """
    inputs = Inputs()
    for word in given:
        if word == STANDARD_INPUT:
            inputs.items += [Item(path, str(path)) for path in _from_standard_input()]
        elif is_stream(word):
            inputs.streams.append(word)
        elif _is_table(Path(word)):
            listed = _from_table(Path(word), path_column, label_column)
            inputs.items += [Item(path, str(path), label) for path, label in listed]
        else:
            inputs.items += [Item(path, str(path)) for path in find_pictures(word, path_column)]
    return inputs


def find_pictures(given: str, path_column: str = "path") -> list[Path]:
    """The image files that an argument means.

    Args:
        given: a picture (`FILE#INDEX` in a file of many, `FILE#` for all of it), a folder (searched below), a glob
            pattern, or a CSV, TSV or Parquet table.
        path_column: column of a table that names the pictures, relative to the table.
    Raises:
        FinegrainedError: nothing there, or a table that can't be read or lacks the column.
    """
    path = Path(given)
    if path.is_dir():
        pictures = sorted(file for file in path.rglob("*") if _is_picture(file))
    elif _is_table(path):
        pictures = [picture for picture, _ in _from_table(path, path_column)]
    elif is_there(path):
        pictures = [path]
    elif given.endswith("#") and is_there(Path(given[:-1])):
        pictures = items_in(Path(given[:-1]))
    else:
        pictures = [Path(name) for name in sorted(glob.glob(given, recursive=True)) if _is_picture(Path(name))]
    if not pictures:
        raise FinegrainedError(
            f"no picture found for {given} (looked in {Path.cwd()}): give a file, a folder, a quoted glob, or a CSV or"
            " TSV table"
        )
    return pictures


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLES and path.is_file()


def _from_table(path: Path, column: str, label_column: str = "") -> list[tuple[Path, str]]:
    """Picture and label of each row that names a picture; the label is "" where the table has no such column."""
    table = read_table(path, needed=[column])
    if column not in table:
        raise FinegrainedError(
            f"{path} has no column '{column}': {nearest(column, table.columns)}; choose with --path-column"
        )
    labels = table[label_column] if label_column in table else [""] * len(table)
    rows = [(path.parent / name, label) for name, label in zip(table[column], labels, strict=True) if name]
    if not rows:
        raise FinegrainedError(f"{path} names no picture in its column '{column}': add a row per picture")
    return rows


def _from_standard_input() -> list[Path]:
    lines = sys.stdin.buffer.read().splitlines()
    paths = [Path(os.fsdecode(line)) for line in lines if line.strip()]
    if not paths:
        raise FinegrainedError(
            "no picture named on standard input: give one path a line, as `find . -name '*.jpg'` does"
        )
    return paths
