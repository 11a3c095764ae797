"""Checking a data set on disk: its counts against the known ones, every image file, copies, and what to do about each
finding.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from finegrained_crl.data.identity import same_files
from finegrained_crl.data.images import DoubtfulModeError, decode
from finegrained_crl.data.picture_files import PixelBudget, TooLargeError, open_picture
from finegrained_crl.data.picture_source import is_there, source_sha256, source_status
from finegrained_crl.data.prepared import changed_since
from finegrained_crl.data.records import Records
from finegrained_crl.data.source import DataSource
from finegrained_crl.errors import FinegrainedError

State = Literal["fine", "missing", "irregular", "zero-byte", "too large", "mode", "unreadable"]
THREADS = 8
CHANGED = "changed since prepared"

ADVICE = {
    "missing": "copy the files there, or remove their rows",
    "irregular": "put the files themselves there, or remove their rows",
    "too large": "make these pictures smaller, or raise the limit by FINEGRAINED_CRL_MAX_PIXELS",
    "zero-byte": "the download broke off: get these files again, or remove their rows",
    "unreadable": "get these files again, or remove their rows",
    CHANGED: "prepare the data set again: `fgcrl data prepare`",
    "mode": "convert these files to 8-bit RGB, or pass --convert-images",
    "one picture with two labels": "keep the row with the right label",
    "same picture in two parts": "the score would be too good: keep each picture in one part",
}


@dataclass(frozen=True)
class CountCheck:
    """One known count and what was found."""

    name: str
    expected: int
    found: int

    @property
    def ok(self) -> bool:
        """Whether both agree."""
        return self.expected == self.found


@dataclass
class VerifyReport:
    """What `verify` found; every list of paths is complete and sorted.

    Attributes:
        dataset: name of the data set.
        data: the folder or file that was given.
        protocol: the split in words.
        policy: label policy, "" where there is one way only.
        fingerprint: of the records table.
        images: rows of the table.
        classes: number of classes.
        counts: known counts beside the found ones.
        per_split: split -> rows; per_fold: fold -> rows; per_class: class name -> rows.
        dropped: reason -> rows of the source that are left out.
        files: kind of problem -> paths ("missing", "irregular", "zero-byte", "unreadable", "too large", "mode").
        reasons: path -> what the decoder said.
        duplicates: groups of rows that hold the same bytes (ids), beyond rows that name the same file.
        repeated_rows: rows that name a file which an earlier row has named.
        conflicts: kind ("one picture with two labels", "same picture in two parts") -> groups of ids.
        label_table: raw label texts and how each policy reads them, for data sets that have label policies.
        labels_only: whether the image files were left alone.
        warnings: what the reader noticed: class names that look like one, or like a missing label, pictures of a kind
            that isn't read.
        advice: what to do, one line per kind of finding.
    """

    dataset: str
    data: str
    protocol: str
    policy: str
    fingerprint: str
    images: int
    classes: int
    counts: list[CountCheck] = field(default_factory=list)
    per_split: dict[str, int] = field(default_factory=dict)
    per_fold: dict[str, int] = field(default_factory=dict)
    per_class: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    duplicates: list[list[str]] = field(default_factory=list)
    repeated_rows: int = 0
    conflicts: dict[str, list[list[str]]] = field(default_factory=dict)
    label_table: list[dict[str, Any]] = field(default_factory=list)
    labels_only: bool = False
    warnings: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether it can be used as it is: counts agree, every image can be read, and your own pictures do not
        contradict each other.

        Published sets hold a few contradictions that are part of them (52 in Stanford Cars); these stand in `conflicts`
        and `advice`.
        """
        contradicts = not self.counts and any(self.conflicts.values())
        return all(check.ok for check in self.counts) and not any(self.files.values()) and not contradicts

    def as_dict(self) -> dict[str, Any]:
        """The report as plain lists, dicts, numbers and strings."""
        counts = [asdict(check) | {"ok": check.ok} for check in self.counts]
        return asdict(self) | {"counts": counts, "ok": self.ok}


@dataclass(frozen=True)
class _FileCheck:
    state: State
    reason: str = ""
    digest: str = ""


def verify(
    source: DataSource,
    name: str,
    data: Path,
    *,
    labels_only: bool = False,
    convert: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Read a data set and check all of it.

    Args:
        source: its reader, with the options wanted.
        name: its name, for the report.
        data: the folder or file.
        labels_only: check the annotation files alone.
        convert: as for `read_image`.
        progress: called with (files checked, files in all).
    Raises:
        FinegrainedError: the annotations cannot be read at all.
    """
    records = source.read(data, labels_only=labels_only)
    report = VerifyReport(
        dataset=name,
        data=str(data),
        protocol=records.protocol,
        policy=records.policy,
        fingerprint=records.fingerprint(),
        images=len(records),
        classes=records.num_classes,
        dropped=dict(records.dropped),
        labels_only=labels_only,
        warnings=list(records.warnings),
    )
    _count(report, records, source.known_counts(data))
    if not labels_only:
        _check_files(report, records, _check_all(records, convert, progress))
        changed = changed_since(data)
        report.files |= {CHANGED: changed} if changed else {}
    table = getattr(source, "label_table", None)
    report.label_table = table(data) if callable(table) else []
    report.advice = _advice(report, source)
    return report


def _count(report: VerifyReport, records: Records, known: dict[str, int]) -> None:
    table = records.table
    splits, folds, labels = (table[column].value_counts() for column in ("split", "fold", "label"))
    report.per_split = {str(split): int(splits[split]) for split in ("train", "val", "test") if split in splits}
    report.per_fold = {str(fold): int(n) for fold, n in folds.sort_index().items()}
    report.per_class = {name: int(labels.get(i, 0)) for i, name in enumerate(records.class_names)}
    report.repeated_rows = int(same_files(records.root, table["path"]).duplicated().sum())
    counts = {"images": len(records), "classes": records.num_classes, **report.per_split}
    counts |= {f"fold {fold}": n for fold, n in report.per_fold.items()}
    report.counts = [CountCheck(name, expected, counts.get(name, 0)) for name, expected in known.items()]


def _check_all(records: Records, convert: bool, progress: Callable[[int, int], None] | None) -> dict[str, _FileCheck]:
    """Path -> finding, each file read and decoded once; Pillow and hashlib let other threads run meanwhile."""
    paths = records.table["path"].drop_duplicates().tolist()
    by_path: dict[str, _FileCheck] = {}
    budget = PixelBudget()
    with ThreadPoolExecutor(THREADS) as pool:
        checks = pool.map(lambda path: _check_file(records.root / path, convert, budget), paths)
        for done, (path, check) in enumerate(zip(paths, checks, strict=True), start=1):
            by_path[path] = check
            if progress:
                progress(done, len(paths))
    return by_path


def _check_file(path: Path, convert: bool, budget: PixelBudget) -> _FileCheck:
    state = source_status(path)
    if state is None:
        return _FileCheck("missing", "no such file")
    if not is_there(path):
        return _FileCheck("irregular", "not a regular file")
    if state.st_size == 0:
        return _FileCheck("zero-byte", "zero bytes")
    try:
        digest = source_sha256(path)
    except FinegrainedError as error:
        return _FileCheck("unreadable", str(error).removeprefix(f"{path}: "))
    try:
        with budget.hold(_pixels(path)):
            decode(path, convert=convert)
    except FinegrainedError as error:
        return _FileCheck(_state_of(error), str(error).removeprefix(f"{path}: "), digest)
    return _FileCheck("fine", digest=digest)


def _pixels(path: Path) -> int:
    with open_picture(path) as picture:
        return picture.width * picture.height


def _state_of(error: FinegrainedError) -> State:
    if isinstance(error, TooLargeError):
        return "too large"
    return "mode" if isinstance(error, DoubtfulModeError) else "unreadable"


def _check_files(report: VerifyReport, records: Records, checks: dict[str, _FileCheck]) -> None:
    bad = {path: check for path, check in checks.items() if check.state != "fine"}
    report.files = {
        state: sorted(path for path, check in bad.items() if check.state == state)
        for state in ("missing", "irregular", "zero-byte", "unreadable", "too large", "mode")
    }
    report.reasons = {path: check.reason for path, check in sorted(bad.items())}
    digests = records.table["path"].map(lambda path: checks[path].digest)
    table = records.table.assign(digest=digests)
    copies = [group for _, group in table[table["digest"] != ""].groupby("digest") if len(group) > 1]
    report.duplicates = [group["id"].tolist() for group in copies if group["path"].nunique() > 1]
    report.conflicts = {
        "one picture with two labels": [group["id"].tolist() for group in copies if group["label"].nunique() > 1],
        "same picture in two parts": [group["id"].tolist() for group in copies if _crosses(group)],
    }


def _crosses(rows: pd.DataFrame) -> bool:
    """Whether rows of one picture lie in two splits, or in two folds."""
    return bool(rows["split"].nunique() > 1 or rows["fold"].nunique() > 1)


def _advice(report: VerifyReport, source: DataSource) -> list[str]:
    wrong = [check for check in report.counts if not check.ok]
    lines = [f"{check.name}: {check.found} found, {check.expected} known" for check in wrong]
    lines += [f"the counts are not those of the published data set. {source.where}"] if wrong else []
    lines += [_finding(kind, paths, paths) for kind, paths in report.files.items() if paths]
    lines += [
        _finding(kind, groups, [group[0] for group in groups]) for kind, groups in report.conflicts.items() if groups
    ]
    if report.duplicates:
        first = " = ".join(report.duplicates[0][:2])
        lines.append(
            f"{len(report.duplicates)} pictures have several names (first: {first}): harmless in one part, or remove"
            " the copies"
        )
    if report.repeated_rows:
        lines.append(
            f"{report.repeated_rows} rows name a file that an earlier row names: they count twice, or remove them from"
            " the table"
        )
    return lines + report.warnings + left_out(report.dropped)


def left_out(dropped: dict[str, int]) -> list[str]:
    """The three most frequent reasons, and how many rows others account for."""
    reasons = sorted(dropped.items(), key=lambda item: -item[1])
    rest = sum(n for _, n in reasons[3:])
    lines = [f"{n} {'row' if n == 1 else 'rows'} left out: {reason}" for reason, n in reasons[:3]]
    return [*lines, f"{rest} more rows left out for other reasons"] if rest else lines


def _finding(kind: str, found: list[Any], examples: list[str]) -> str:
    return f"{len(found)} {kind} (first: {examples[0]}): {ADVICE[kind]}"
