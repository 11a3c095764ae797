"""What stands on both sides of a boundary, and what of it is looked for before every training: it reads no file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from finegrained_crl.data.fingerprint import DataFingerprint
from finegrained_crl.data.folds import Partition
from finegrained_crl.data.identity import identities, same_files
from finegrained_crl.data.records import Records

EXAMPLES = 5
PARTS = ("train", "val", "test")
FILE, LISTED = "identical file", "listed picture"


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


def crossings(kind: str, keys: pd.Series, parts: pd.Series, paths: pd.Series | None = None) -> list[Crossing]:
    """What of one kind is in more than one part; missing keys are ignored.

    Args:
        kind: what the keys are.
        keys: one key per row (a subject, a path, a digest).
        parts: part of each row.
        paths: shown as examples in place of the keys, which may mean nothing to a reader (digests).
    """
    sets = {part: set(keys[parts == part].dropna().tolist()) for part in parts.unique()}
    lines = []
    for first, second in combinations(sets, 2):
        shared = sets[first] & sets[second]
        if shared:
            rows = keys.isin(shared) & (parts == second)
            shown = (keys if paths is None else paths)[rows]
            lines.append(
                Crossing(
                    kind, first, second, len(shared), len(sets[second]), list(dict.fromkeys(map(str, shown)))[:EXAMPLES]
                )
            )
    return lines


def partition_leaks(records: Records, parts: Partition) -> list[Crossing]:
    """Subjects, albums, originals and listed pictures that a run's training, validation and test parts share; reads no
    file.

    Args:
        records: the data set.
        parts: rows of each part.
    """
    used = _used(records, parts)
    keys = {kind: identities(used[column]) for kind, column in records.groupings.items()}
    keys[LISTED] = same_files(records.root, used["path"])
    return [
        crossing
        for kind, values in keys.items()
        for crossing in crossings(kind, values, used["part"], used[_shown(records, kind)])
    ]


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
    pieces: list[pd.DataFrame] = [records.table.iloc[getattr(parts, name)].assign(part=name) for name in PARTS]
    return pd.concat(pieces)


def _shown(records: Records, kind: str) -> str:
    """The column whose values a reader knows: identities as they are spelled, files by their paths."""
    return records.groupings.get(kind, "path")
