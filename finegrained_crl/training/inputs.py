"""The pictures that a command-line argument means."""

from __future__ import annotations

import glob
from pathlib import Path

import pandas as pd

from finegrained_crl.data.images import IMAGE_SUFFIXES
from finegrained_crl.errors import FinegrainedError, nearest

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def find_pictures(given: str, path_column: str = "path") -> list[Path]:
    """The image files that an argument means.

    Args:
        given: a picture, a folder (searched below), a glob pattern, or a CSV or TSV table.
        path_column: column of a table that names the pictures, relative to the table.
    Raises:
        FinegrainedError: nothing there, or a table that can't be read or lacks the column.
    """
    path = Path(given)
    if path.is_dir():
        pictures = sorted(file for file in path.rglob("*") if _is_picture(file))
    elif path.suffix.lower() in SEPARATORS and path.is_file():
        pictures = _from_table(path, path_column)
    elif path.is_file():
        pictures = [path]
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
    try:
        table = pd.read_csv(path, dtype=str, sep=SEPARATORS[path.suffix.lower()], encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FinegrainedError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise FinegrainedError(f"{path} can't be read as a table: {' '.join(str(error).split())}") from None
    if column not in table:
        raise FinegrainedError(
            f"{path} has no column '{column}': {nearest(column, table.columns)}; choose with --path-column"
        )
    return [path.parent / name for name in table[column].dropna()]
