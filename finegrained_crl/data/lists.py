"""List files: one picture a line, its path and perhaps its label; what Caffe-time projects publish as their splits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from finegrained_crl.data.identity import plain_path
from finegrained_crl.data.layout import text_lines
from finegrained_crl.data.regular import status
from finegrained_crl.errors import FinegrainedError

LABEL = re.compile(r"-?\d+|[^\s,;/\\.]+")
SEPARATORS = " \t\v\f\r\n\x1c\x1d\x1e\x1f\x85\xa0,;"
Identify = Callable[[str], dict[str, str] | None]


def read_lists(paths: list[Path], identifiers: dict[str, Identify]) -> tuple[pd.DataFrame, str]:
    """The pictures of several list files as one table.

    Args:
        paths: list files; each is a part, named by its file name (with its folder where two have one name).
        identifiers: data set name -> function from a picture's path to what the name tells (subject, album, original),
            None where the path is not of that data set's kind.
    Returns:
        columns part, path, label (missing where a line has none) and those of the first data set that knows every path;
        and the name of that data set, "" for none.
    Raises:
        FinegrainedError: fewer than two lists, one that is given twice, missing, empty, or not text.
    """
    if len(set(paths)) < 2 or len(set(paths)) < len(paths):
        raise FinegrainedError(
            f"--lists needs two or more different list files, got {', '.join(map(str, paths)) or 'none'}"
        )
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
    if status(path) is None:
        raise FinegrainedError(f"no list file {path.absolute()}; give text files with one 'PATH LABEL' a line")
    entries = [split_line(line) for _, line in text_lines(path)]
    rows = [{"part": part, "path": plain_path(image), "label": label} for image, label in entries if image]
    if not rows:
        raise FinegrainedError(f"{path}: no line in it; expected one 'PATH LABEL' a line")
    return pd.DataFrame(rows)


def split_line(line: str) -> tuple[str, str | None]:
    """The path and the label of a line; a last word with a point or a slash belongs to the path.

    One pass from the end: a pattern that looks for the separator from the left needs minutes for a line of 80,000
    spaces.

    >>> split_line("my birds/1.jpg  12"), split_line("my birds/1.jpg")
    (('my birds/1.jpg', '12'), ('my birds/1.jpg', None))
    """
    text = line.strip(SEPARATORS)
    start = max(text.rfind(separator) for separator in SEPARATORS) + 1
    label = text[start:]
    if start and LABEL.fullmatch(label):
        return text[:start].rstrip(SEPARATORS), label
    return text, None
