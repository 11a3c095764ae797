"""List files: one picture a line, its path and perhaps its label; what Caffe-time projects publish as their splits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from finegrained_crl.data.layout import text_lines
from finegrained_crl.errors import FinegrainedError

LINE = re.compile(r"(?P<path>.+?)(?:[\s,;]+(?P<label>-?\d+|[^\s,;/\\.]+))?\s*$")
Identify = Callable[[str], dict[str, str] | None]


def read_lists(paths: list[Path], identifiers: dict[str, Identify]) -> tuple[pd.DataFrame, str]:
    """The pictures of several list files as one table.

    Args:
        paths: list files; each is a part, named by its file name (with its folder where two have one name).
        identifiers: data set name -> function from a picture's path to what the name tells (subject, album, original), None where
            the path is not of that data set's kind.
    Returns:
        columns part, path, label (missing where a line has none) and those of the first data set that knows every path; and the
        name of that data set, "" for none.
    Raises:
        FinegrainedError: fewer than two lists, one that is given twice, missing, empty, or not text.
    """
    if len(set(paths)) < 2 or len(set(paths)) < len(paths):
        raise FinegrainedError(f"--lists needs two or more different list files, got {', '.join(map(str, paths)) or 'none'}")
    table = pd.concat([_read(path, part) for path, part in zip(paths, _names(paths), strict=True)], ignore_index=True)
    for name, identify in identifiers.items():
        told = [identify(path) for path in table["path"]]
        if all(told):
            return table.join(pd.DataFrame(told)), name
    return table, ""


def _names(paths: list[Path]) -> list[str]:
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _read(path: Path, part: str) -> pd.DataFrame:
    if not path.is_file():
        raise FinegrainedError(f"no list file {path.absolute()}; give text files with one 'PATH LABEL' a line")
    matches = [LINE.match(line) for _, line in text_lines(path)]
    rows = [{"part": part, "path": m["path"], "label": m["label"]} for m in matches if m]
    if not rows:
        raise FinegrainedError(f"{path}: no line in it; expected one 'PATH LABEL' a line")
    return pd.DataFrame(rows)
