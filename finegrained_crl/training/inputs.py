"""The pictures that a command-line argument means."""

from __future__ import annotations

import glob
from pathlib import Path

from finegrained_crl.data.images import IMAGE_SUFFIXES
from finegrained_crl.data.picture_source import is_there, items_in
from finegrained_crl.data.tables import read_table
from finegrained_crl.errors import FinegrainedError, nearest

TABLES = (".csv", ".tsv", ".parquet")


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
    elif path.suffix.lower() in TABLES and path.is_file():
        pictures = _from_table(path, path_column)
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


def _from_table(path: Path, column: str) -> list[Path]:
    table = read_table(path, needed=[column])
    if column not in table:
        raise FinegrainedError(
            f"{path} has no column '{column}': {nearest(column, table.columns)}; choose with --path-column"
        )
    return [path.parent / name for name in table[column] if name]
