"""When two names mean one thing: people, albums and photographs in a table, files on the disk, classes."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from finegrained_crl.data.picture_source import item_of
from finegrained_crl.data.regular import status
from finegrained_crl.errors import FinegrainedError

WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")
NULL_LIKE = frozenset({"", "none", "null", "nil", "na", "n/a", "nan", "<na>", "-", "--", "?", "missing"})


def same_identity(text: str) -> str:
    """The form that all spellings of one identity share: case, space around it, Unicode form and `1` or `1.0` don't
    count.

    >>> same_identity(" Ann "), same_identity("7.0")
    ('ann', '7')
    """
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).strip()
    number = WHOLE_NUMBER.fullmatch(plain)
    return number[1] if number else plain


def same_class(text: str) -> str:
    """As `same_identity`, and underscores, hyphens and runs of space are one space: for class names that a slip made
    two.

    >>> same_class("Lantern_Shrike ") == same_class("LANTERN SHRIKE")
    True
    """
    return re.sub(r"[\s_-]+", " ", same_identity(text)).strip()


def plain_path(path: str) -> str:
    """A relative path without "./" and doubled slashes; ".." stays, since a folder before it may be a link.

    >>> plain_path("./a//b.jpg")
    'a/b.jpg'
    """
    if "//" not in path and "/." not in path and not path.startswith("./") and not path.endswith(("/", ".")):
        return path  # nearly all of millions
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def require_unicode(names: Iterable[str], place: Path) -> None:
    """Refuse names that no results file could hold: of files whose bytes are not UTF-8.

    Raises:
        FinegrainedError: there are some; the first is named.
    """
    broken = [name for name in names if not _is_unicode(name)]
    if broken:
        shown = broken[0].encode("utf-8", "backslashreplace").decode()
        raise FinegrainedError(
            f"{place}: {len(broken)} names are not UTF-8 (first: {shown}): rename the files or folders"
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def identities(column: pd.Series) -> pd.Series:
    """`same_identity` of each value; missing ones, and blank ones, stay missing."""
    codes, texts = pd.factorize(column.astype("string"))
    forms = np.array([*(same_identity(text) or None for text in texts), None], dtype=object)
    return pd.Series(forms[codes], index=column.index, dtype=object)  # code -1, of a missing value, is the last


def same_files(root: Path, paths: pd.Series) -> pd.Series:
    """The path of each row, and the same one for all names of one file: symbolic and hard links to it.

    Where a file isn't there its own path stays.
    """
    first: dict[tuple[int, int, int], str] = {}
    names: dict[str, str] = {}
    of_rows: list[str] = []
    for path in paths.tolist():
        if path not in names:
            plain = plain_path(path)
            place = _place_on_disk(os.path.join(root, path))
            names[path] = plain if place is None else first.setdefault(place, plain)
        of_rows.append(names[path])
    return pd.Series(of_rows, index=paths.index, dtype=object)


def _place_on_disk(path: str) -> tuple[int, int, int] | None:
    """Device and number of a picture's file, and the picture's index in a file of many, -1 in one of its own."""
    index = -1
    try:
        state: os.stat_result | None = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        item = item_of(Path(path)) if "#" in path else None
        state, index = (status(item[0]), item[1]) if item else (None, -1)
    return (state.st_dev, state.st_ino, index) if state and state.st_ino else None


def class_warnings(names: tuple[str, ...]) -> list[str]:
    """One line for each set of class names that look like one class, and for names that look like a missing label."""
    forms: dict[str, list[str]] = {}
    for name in names:
        forms.setdefault(same_class(name), []).append(name)
    alike = [" and ".join(repr(name) for name in group) for group in forms.values() if len(group) > 1]
    lines = [f"classes {group} look like one class: give them one spelling if they are" for group in alike]
    null = [repr(name) for name in names if name.strip().casefold() in NULL_LIKE]
    if null:
        lines.append(f"class {', '.join(null)} looks like a missing label: remove these rows if it is")
    return lines


def joined(*keys: pd.Series) -> pd.Series:
    """Number the groups of rows that hang together: two rows that share a value of any key are in one group.

    Args:
        keys: each of one length n; missing values join nothing.
    Returns:
        int64, (n,), group of each row, numbered in the order of first appearance; index of the first key.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = len(keys[0])
    rows, nodes, nodes_so_far = [], [], size
    for key in keys:
        codes, values = pd.factorize(key)
        rows.append(np.flatnonzero(codes >= 0))
        nodes.append(codes[codes >= 0] + nodes_so_far)
        nodes_so_far += len(values)
    ends = (np.concatenate(rows), np.concatenate(nodes))
    edges = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(nodes_so_far, nodes_so_far))
    _, groups = connected_components(edges, directed=False)
    return pd.Series(pd.factorize(groups[:size])[0].astype(np.int64), index=keys[0].index)


def clusters(frame: pd.DataFrame) -> pd.Series:
    """Who is drawn as a whole by chance, for each row of a predictions table: its subject, or its picture where none is
    known.
    """
    unknown = pd.Series(pd.NA, index=frame.index, dtype="string")
    subject = frame["subject"].astype("string") if "subject" in frame else unknown
    return ("subject " + subject).fillna("image " + frame["path"].astype("string"))
