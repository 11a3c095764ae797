"""The whole audit of a split: leaks (`leaks.py`) of everything, also of what only the files show, and pictures with two
labels.

Files are read for equal bytes (SHA-256) and near-duplicates, that is re-encoded, resized, mirrored, turned, cropped,
framed or slightly edited copies (`near_duplicates.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from finegrained_crl.data.content_hashes import content_hashes
from finegrained_crl.data.identity import identities, plain_path, same_files
from finegrained_crl.data.leaks import EXAMPLES, FILE, LISTED, PARTS, Crossing, crossings
from finegrained_crl.data.looks import SIDE, Look, look_at
from finegrained_crl.data.near_duplicates import NEAR, NearPair, near_duplicates
from finegrained_crl.data.picture_files import PixelBudget
from finegrained_crl.data.records import Records
from finegrained_crl.errors import FinegrainedError

THREADS = 8
NO_PART = "no part"
SPLIT_ORDER = (*PARTS, NO_PART)
NEAR_COPY = "near-duplicate"

Progress = Callable[[int, int], None]


@dataclass
class AuditReport:
    """What an audit found.

    Attributes:
        what: the data set, split or lists.
        parts: part -> rows.
        counts: kind -> distinct ones in all parts together.
        crossings: what is on both sides of a boundary.
        two_labels: kind -> groups of paths that show one picture under two labels.
        pairs: pictures of which one is a copy of the other (by bytes or nearly) and that cross a boundary or have two
            labels.
        files_read: image files whose bytes were read; 0 where only the lists were.
        missing: files that are not there, or are no regular files.
        unreadable: path -> why, for files that are there and are no pictures that can be read.
        dropped: reason -> rows of the source that were left out before.
    """

    what: str
    parts: dict[str, int]
    counts: dict[str, int] = field(default_factory=dict)
    crossings: list[Crossing] = field(default_factory=list)
    two_labels: dict[str, list[list[str]]] = field(default_factory=dict)
    pairs: list[NearPair] = field(default_factory=list)
    files_read: int = 0
    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing leaks and no picture has two labels, among what could be looked at."""
        return not self.crossings and not any(self.two_labels.values())

    @property
    def complete(self) -> bool:
        """Whether all that was to be looked at could be."""
        return not self.missing and not self.unreadable

    @property
    def ok(self) -> bool:
        """Whether everything was looked at and nothing found: an audit of half of the files says nothing of the other
        half.
        """
        return self.clean and self.complete

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        pairs = [pair._asdict() for pair in self.pairs]
        return asdict(self) | {"pairs": pairs, "clean": self.clean, "complete": self.complete, "ok": self.ok}


class Pictures(NamedTuple):
    """What was read of the files of a table.

    Attributes:
        digests: path -> SHA-256; only for files that could be read.
        looks: path -> what it looks like; only for files that could be decoded.
        unreadable: path -> why it could not be decoded.
    """

    digests: dict[str, str]
    looks: dict[str, Look]
    unreadable: dict[str, str]


def audit(
    table: pd.DataFrame,
    what: str,
    *,
    groupings: Mapping[str, str],
    root: Path | None,
    near: float = NEAR,
    progress: Progress | None = None,
) -> AuditReport:
    """Look for everything that crosses a boundary.

    Args:
        table: one row per picture: `part` (str), `path`, `label`, and the columns that `groupings` names.
        what: name of what is audited, for the report.
        groupings: kind ("subject") -> column.
        root: folder of the image files; None: the lists alone.
        near: least likeness of near-duplicates, up to 1; negative: don't look for them, and decode no picture.
        progress: called with (files read, files in all).
    Raises:
        FinegrainedError: fewer than two parts.
    """
    table = table[table["part"] != NO_PART]
    report = AuditReport(what, _sizes(table, what))
    keys = {
        kind: identities(table[column])
        for kind, column in groupings.items()
        if column in table and table[column].notna().any()
    }
    keys[LISTED] = table["path"].map(plain_path) if root is None else same_files(root, table["path"])
    pictures = Pictures({}, {}, {})
    if root is not None:
        pictures = read_all(root, table["path"].drop_duplicates().tolist(), near >= 0, progress)
        _tell_files(report, table, pictures)
        keys[FILE] = table["path"].map(pictures.digests)
    report.counts = {kind: int(values.nunique()) for kind, values in keys.items()}
    shown = {kind: table[groupings.get(kind, "path")] for kind in keys}
    report.crossings = [c for kind, values in keys.items() for c in crossings(kind, values, table["part"], shown[kind])]
    report.two_labels = {kind: _two_labels(table, keys[kind]) for kind in (LISTED, FILE) if kind in keys}
    if root is not None:
        _tell_copies(report, table, pictures, near)
    return report


def _sizes(table: pd.DataFrame, what: str) -> dict[str, int]:
    sizes = table["part"].value_counts(sort=False)
    if len(sizes) < 2:
        raise FinegrainedError(
            f"{what} has a single part ({', '.join(sizes.index)}): an audit compares parts; give a split, folds or two"
            " lists"
        )
    return {str(part): int(n) for part, n in sizes.items()}


def _tell_files(report: AuditReport, table: pd.DataFrame, pictures: Pictures) -> None:
    report.files_read = len(pictures.digests)
    report.missing = sorted(set(table["path"]) - pictures.digests.keys())
    report.unreadable = {path: why for path, why in sorted(pictures.unreadable.items()) if path in pictures.digests}


def _tell_copies(report: AuditReport, table: pd.DataFrame, pictures: Pictures, near: float) -> None:
    """Add near-copies, and the pairs of pictures, by bytes or nearly, that cross a boundary or have two labels."""
    pairs = equal_pairs(pictures.digests)
    if near >= 0:
        near_pairs = near_duplicates(pictures.looks, pictures.digests, near)
        report.crossings += _near_crossings(near_pairs, table)
        report.two_labels[NEAR_COPY] = _near_two_labels(near_pairs, table)
        pairs += near_pairs
    parts, labels = _parts(table), _labels(table)
    report.pairs = [pair for pair in pairs if len(parts[pair.first] | parts[pair.second]) > 1 or _differ(pair, labels)]


def parts_of(records: Records) -> pd.Series:
    """Each row's part by the data set's own protocol: its fold where it has folds, else its split."""
    folds = "fold " + records.table["fold"].astype("string")
    return folds.fillna(records.table["split"].replace("", NO_PART)).astype(str)


def read_all(root: Path, paths: list[str], looking: bool, progress: Progress | None) -> Pictures:
    """Hashes of all files (cached, as before a training), and where asked what they look like."""
    silent = progress if not looking else None
    digests = {path: digest for path, digest in content_hashes(root, paths, silent).items() if digest}
    pictures = Pictures(digests, {}, {})
    if not looking:
        return pictures
    budget = PixelBudget()
    with ThreadPoolExecutor(THREADS) as pool:
        looks = pool.map(lambda path: _look(root / path, budget), paths)
        for done, (path, look) in enumerate(zip(paths, looks, strict=True), start=1):
            if isinstance(look, str):
                pictures.unreadable[path] = look
            else:
                pictures.looks[path] = look
            if progress:
                progress(done, len(paths))
    return pictures


def _look(path: Path, budget: PixelBudget) -> Look | str:
    try:
        return look_at(path, SIDE, budget)
    except FinegrainedError as error:
        return str(error).removeprefix(f"{path}: ")


def _two_labels(table: pd.DataFrame, keys: pd.Series) -> list[list[str]]:
    of_several = keys.notna() & keys.duplicated(keep=False)
    labelled = table[of_several & table["label"].notna()].assign(key=keys)
    groups = labelled.groupby("key")
    doubled = groups["label"].nunique()
    return [_labelled(groups.get_group(key)) for key in doubled.index[doubled > 1]]


def _labelled(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(f"{path} ({label})" for path, label in zip(rows["path"], rows["label"], strict=True)))


def equal_pairs(digests: Mapping[str, str]) -> list[NearPair]:
    """Each file with the first one of the same bytes."""
    firsts: dict[str, str] = {}
    pairs = [(firsts.setdefault(digest, path), path) for path, digest in digests.items()]
    return [NearPair(first, path, 1.0, FILE) for first, path in pairs if first != path]


def _near_crossings(pairs: list[NearPair], table: pd.DataFrame) -> list[Crossing]:
    """Counted by pictures of the second part: one that is like three of the first is one leak."""
    parts = _parts(table)
    order = list(dict.fromkeys(table["part"]))
    examples: dict[tuple[str, str], list[str]] = {}
    leaking: dict[tuple[str, str], set[str]] = {}
    for pair in pairs:
        for first, second in _between(parts[pair.first], parts[pair.second], order):
            examples.setdefault((first, second), []).append(_told(pair))
            leaking.setdefault((first, second), set()).add(pair.second if second in parts[pair.second] else pair.first)
    sizes = table.groupby("part")["path"].nunique()
    return [
        Crossing(NEAR_COPY, first, second, len(leaking[first, second]), int(sizes[second]), shown[:EXAMPLES])
        for (first, second), shown in examples.items()
    ]


def _told(pair: NearPair) -> str:
    return f"{pair.first} ~ {pair.second}" + (f" ({pair.how})" if pair.how else "")


def _parts(table: pd.DataFrame) -> dict[str, set[str]]:
    return {str(path): set(rows) for path, rows in table.groupby("path")["part"]}


def _between(one: set[str], other: set[str], order: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of parts that a pair of pictures connects, each in the order of the parts."""
    for first, second in combinations(order, 2):
        if (first in one and second in other) or (first in other and second in one):
            yield first, second


def _near_two_labels(pairs: list[NearPair], table: pd.DataFrame) -> list[list[str]]:
    labels = _labels(table)
    doubled = [pair for pair in pairs if _differ(pair, labels)]
    return [[f"{path} ({labels[path]})" for path in (pair.first, pair.second)] for pair in doubled]


def _labels(table: pd.DataFrame) -> dict[str, str]:
    labelled = table.dropna(subset="label").drop_duplicates("path")
    return {str(path): str(label) for path, label in zip(labelled["path"], labelled["label"], strict=True)}


def _differ(pair: NearPair, labels: dict[str, str]) -> bool:
    return pair.first in labels and pair.second in labels and labels[pair.first] != labels[pair.second]
