"""Leaks: people, albums, photographs and files that stand on both sides of a boundary, and pictures with two labels.

Training looks at what costs nothing (subjects, listed files); `fgcrl data audit` also reads the files: equal bytes (SHA-256) and
near-duplicates, that is re-encoded, resized or slightly edited copies, by a perceptual hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from finegrained_crl.data.fingerprint import DataFingerprint
from finegrained_crl.data.folds import Partition
from finegrained_crl.data.identity import identities, plain_path, same_files
from finegrained_crl.data.near_duplicates import NEAR_BITS, Look, look_at, near_duplicates
from finegrained_crl.data.records import Records
from finegrained_crl.errors import FinegrainedError

EXAMPLES = 5
THREADS = 8
NO_PART = "no part"
SPLIT_ORDER = ("train", "val", "test", NO_PART)
FILE, NEAR, LISTED = "identical file", "near-duplicate", "listed picture"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Crossing:
    """Something that is on both sides of a boundary.

    Attributes:
        kind: "subject", "album", "original", "listed picture", "identical file" or "near-duplicate".
        first: name of one part; second: of the other, usually the one that is evaluated.
        count: distinct ones on both sides.
        of: distinct ones in the second part.
        examples: the first few.
    """

    kind: str
    first: str
    second: str
    count: int
    of: int
    examples: list[str]

    def __str__(self) -> str:
        what = self.kind if self.of == 1 else f"{self.kind}s"
        shown = ", ".join(self.examples) + (" .." if self.count > len(self.examples) else "")
        return f"{self.count} of {self.of} {what} of {self.second} are also in {self.first} ({shown})"


@dataclass
class AuditReport:
    """What an audit found.

    Attributes:
        what: the data set, split or lists.
        parts: part -> rows.
        counts: kind -> distinct ones in all parts together.
        crossings: what is on both sides of a boundary.
        two_labels: kind -> groups of paths that show one picture under two labels.
        files_read: image files that were read; 0 where only the lists were.
        unreadable: files that were to be read and could not.
    """

    what: str
    parts: dict[str, int]
    counts: dict[str, int] = field(default_factory=dict)
    crossings: list[Crossing] = field(default_factory=list)
    two_labels: dict[str, list[list[str]]] = field(default_factory=dict)
    files_read: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing leaks and no picture has two labels."""
        return not self.crossings and not any(self.two_labels.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"ok": self.ok}


class Pictures(NamedTuple):
    """What was read of the files of a table.

    Attributes:
        digests: path -> SHA-256.
        looks: path -> what it looks like; only for files that could be decoded.
    """

    digests: dict[str, str]
    looks: dict[str, Look]


def audit(
    table: pd.DataFrame,
    what: str,
    *,
    groupings: Mapping[str, str],
    root: Path | None,
    near: int = NEAR_BITS,
    progress: Progress | None = None,
) -> AuditReport:
    """Look for everything that crosses a boundary.

    Args:
        table: one row per picture: `part` (str), `path`, `label`, and the columns that `groupings` names.
        what: name of what is audited, for the report.
        groupings: kind ("subject") -> column.
        root: folder of the image files; None: the lists alone.
        near: bits of 63 in which perceptual hashes of near-duplicates may differ; negative: don't look for them.
        progress: called with (files read, files in all).
    Raises:
        FinegrainedError: fewer than two parts.
    """
    table = table[table["part"] != NO_PART]
    sizes = table["part"].value_counts(sort=False)
    if len(sizes) < 2:
        raise FinegrainedError(
            f"{what} has a single part ({', '.join(sizes.index)}): an audit compares parts; give a split, folds or two lists"
        )
    report = AuditReport(what, {str(part): int(n) for part, n in sizes.items()})
    keys = {kind: identities(table[column]) for kind, column in groupings.items() if column in table and table[column].notna().any()}
    keys[LISTED] = table["path"].map(plain_path) if root is None else same_files(root, table["path"])
    if root is not None:
        pictures = _read_all(root, table["path"].drop_duplicates().tolist(), near >= 0, progress)
        report.files_read = len(pictures.digests)
        report.unreadable = sorted(set(table["path"]) - pictures.digests.keys())
        keys[FILE] = table["path"].map(pictures.digests)
    report.counts = {kind: int(values.nunique()) for kind, values in keys.items()}
    shown = {kind: table[groupings.get(kind, "path")] for kind in keys}
    report.crossings = [c for kind, values in keys.items() for c in crossings(kind, values, table["part"], shown[kind])]
    report.two_labels = {kind: _two_labels(table, keys[kind]) for kind in (LISTED, FILE) if kind in keys}
    if root is not None and near >= 0:
        pairs = near_duplicates(pictures.looks, pictures.digests, near)
        report.crossings += _near_crossings(pairs, table)
        report.two_labels[NEAR] = _near_two_labels(pairs, table)
    return report


def crossings(kind: str, keys: pd.Series, parts: pd.Series, paths: pd.Series | None = None) -> list[Crossing]:
    """What of one kind is in more than one part; missing keys are ignored.

    Args:
        kind: what the keys are.
        keys: one key per row (a subject, a path, a digest).
        parts: part of each row.
        paths: shown as examples in place of the keys, which may mean nothing to a reader (digests).
    """
    sets = {part: set(keys[parts == part].dropna()) for part in dict.fromkeys(parts)}
    found = []
    for first, second in combinations(sets, 2):
        shared = sets[first] & sets[second]
        if shared:
            rows = keys.isin(shared) & (parts == second)
            shown = (keys if paths is None else paths)[rows]
            found.append(Crossing(kind, first, second, len(shared), len(sets[second]), list(dict.fromkeys(map(str, shown)))[:EXAMPLES]))
    return found


def partition_leaks(records: Records, parts: Partition) -> list[Crossing]:
    """Subjects, albums, originals and listed pictures that a run's training, validation and test parts share; reads no file.

    Args:
        records: the data set.
        parts: rows of each part.
    """
    used = _used(records, parts)
    keys = {kind: identities(used[column]) for kind, column in records.groupings.items()}
    keys[LISTED] = same_files(records.root, used["path"])
    return [crossing for kind, values in keys.items() for crossing in crossings(kind, values, used["part"], used[_shown(records, kind)])]


def cheap_leaks(records: Records, parts: Partition, fingerprint: DataFingerprint) -> list[Crossing]:
    """What is looked for before every training: `partition_leaks`, and files of equal bytes under other names.

    Args:
        records: the data set.
        parts: rows of each part.
        fingerprint: of these records; its hashes are compared, no file is read.
    """
    used = _used(records, parts)
    digests = fingerprint.require_pictures()["sha256"].loc[used.index].replace("", None)
    files = same_files(records.root, used["path"])
    # What one path, or one file, accounts for has been said; a copy has several files to its bytes.
    several = files.groupby(digests).transform("nunique") > 1
    copies = crossings(FILE, digests.where(several), used["part"], used["path"])
    return partition_leaks(records, parts) + copies


def _used(records: Records, parts: Partition) -> pd.DataFrame:
    pieces: list[pd.DataFrame] = [records.table.iloc[getattr(parts, name)].assign(part=name) for name in SPLIT_ORDER[:3]]
    return pd.concat(pieces)


def _shown(records: Records, kind: str) -> str:
    """The column whose values a reader knows: identities as they are spelled, files by their paths."""
    return records.groupings.get(kind, "path")


def parts_of(records: Records) -> pd.Series:
    """Each row's part by the data set's own protocol: its fold where it has folds, else its split."""
    folds = "fold " + records.table["fold"].astype("string")
    return folds.fillna(records.table["split"].replace("", NO_PART)).astype(str)


def _read_all(root: Path, paths: list[str], hashing: bool, progress: Progress | None) -> Pictures:
    found = Pictures({}, {})
    with ThreadPoolExecutor(THREADS) as pool:
        for done, (path, digest, look) in enumerate(pool.map(lambda p: _read_one(root, p, hashing), paths), start=1):
            if digest:
                found.digests[path] = digest
            if look is not None:
                found.looks[path] = look
            if progress:
                progress(done, len(paths))
    return found


def _read_one(root: Path, path: str, hashing: bool) -> tuple[str, str, Look | None]:
    try:
        digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
    except OSError:
        return path, "", None
    try:
        return path, digest, look_at(root / path) if hashing else None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error; `data verify` tells which
        return path, digest, None


def _two_labels(table: pd.DataFrame, keys: pd.Series) -> list[list[str]]:
    known = table[keys.notna() & table["label"].notna()].assign(key=keys)
    groups = known.groupby("key")
    doubled = groups["label"].nunique()
    return [_labelled(groups.get_group(key)) for key in doubled.index[doubled > 1]]


def _labelled(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(f"{path} ({label})" for path, label in zip(rows["path"], rows["label"], strict=True)))


def _near_crossings(pairs: list[tuple[str, str]], table: pd.DataFrame) -> list[Crossing]:
    parts = {str(path): set(rows) for path, rows in table.groupby("path")["part"]}
    found: dict[tuple[str, str], list[str]] = {}
    for one, other in pairs:
        for first, second in _between(parts[one], parts[other], list(dict.fromkeys(table["part"]))):
            found.setdefault((first, second), []).append(f"{one} ~ {other}")
    sizes = table.groupby("part")["path"].nunique()
    return [Crossing(NEAR, a, b, len(shown), int(sizes[b]), shown[:EXAMPLES]) for (a, b), shown in found.items()]


def _between(one: set[str], other: set[str], order: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of parts that a pair of pictures connects, each in the order of the parts."""
    for first, second in combinations(order, 2):
        if (first in one and second in other) or (first in other and second in one):
            yield first, second


def _near_two_labels(pairs: list[tuple[str, str]], table: pd.DataFrame) -> list[list[str]]:
    labels = table.dropna(subset="label").drop_duplicates("path").set_index("path")["label"].to_dict()
    doubled = [pair for pair in pairs if all(p in labels for p in pair) and labels[pair[0]] != labels[pair[1]]]
    return [[f"{path} ({labels[path]})" for path in pair] for pair in doubled]
