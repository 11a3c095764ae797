"""`fgcrl data audit`: what crosses the boundary between the parts of a data set, one split of it, or list files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl import discovery
from finegrained_crl.cli import parsing
from finegrained_crl.cli.progress import bar
from finegrained_crl.cli.show import print_table
from finegrained_crl.data import audit as auditing
from finegrained_crl.data.fingerprint import fingerprint
from finegrained_crl.data.folds import Partition, cut_validation, hold_out
from finegrained_crl.data.leaks import EXAMPLES
from finegrained_crl.data.lists import read_lists
from finegrained_crl.data.near_duplicates import NEAR
from finegrained_crl.data.records import Records
from finegrained_crl.data.verify import left_out
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.files import write_bytes

summary = "find people, albums, photographs, files and near-copies on both sides of a split"
example = "fgcrl data audit adience --data adience"
DESCRIPTION = """Find subjects, albums, original photographs, identical files and near-duplicates on both sides of a
boundary,
and pictures with two labels. Exit code 1 when something is found, or when files are missing or can't be read."""


def main(argv: list[str]) -> int:
    """Audit a data set, or with --lists list files."""
    is_named = bool(argv) and not argv[0].startswith("-")
    name = argv[0] if is_named else ""
    cls = discovery.find("data set", name, discovery.datasets()) if is_named else None
    words = [word.replace("--dataset.", "--") for word in parsing.normalise(argv[is_named:])]
    parser, options = _parser(name, cls)
    parsed = parser.parse(words)
    if parsed.lists:
        report, root = _audit_lists(parsed)
    elif cls is None:
        raise FinegrainedError("`fgcrl data audit` needs the name of a data set, or --lists TRAIN.txt VAL.txt")
    else:
        report, root = _audit_dataset(name, cls(**{option: parsed[option] for option in options}), parsed)
    if parsed.sheet:
        _draw(report, root, Path(parsed.sheet))
    if parsed.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        _show(report)
    return 0 if report.ok else 1


def _draw(report: auditing.AuditReport, root: Path | None, path: Path) -> None:
    """Write the contact sheet; where there is nothing to draw, say so and leave no file."""
    from finegrained_crl.data.contact_sheet import MOST_PAIRS, Pair, contact_sheet

    if root is None:
        raise FinegrainedError("--sheet needs the pictures: leave out --labels-only, and give --data with --lists")
    if not report.pairs:
        print(f"no pair of pictures was found, {path} is not written", file=sys.stderr)
        return
    alike = sorted(report.pairs, key=lambda pair: -pair.likeness)
    pairs = [Pair(pair.first, pair.second, f"{pair.likeness:.3f} {pair.how}".strip()) for pair in alike]
    write_bytes(path, contact_sheet(root, pairs))
    more = f", the first {MOST_PAIRS} of {len(pairs)}" if len(pairs) > MOST_PAIRS else ""
    print(f"{min(len(pairs), MOST_PAIRS)} pairs of pictures in {path}{more}", file=sys.stderr)


def _parser(name: str, cls: Any) -> tuple[parsing.SettingsParser, list[str]]:
    parser = parsing.SettingsParser(
        prog=f"fgcrl data audit {name}".strip(), description=DESCRIPTION, epilog=f"example: {example}"
    )
    parsing.add_flag(
        parser, "data", str, "", "folder (or CSV file) that holds the data set, or the images of the lists"
    )
    parsing.add_flag(parser, "lists", list[str], [], "list files ('PATH LABEL' a line), each one a part")
    parsing.add_flag(parser, "labels_only", bool, False, "compare the lists alone, read no image")
    parsing.add_flag(parser, "near", float, NEAR, "least likeness of near-duplicates, up to 1; -1: don't look for any")
    parsing.add_flag(parser, "sheet", str, "", "PNG file for the pairs of pictures that were found, side by side")
    parsing.add_flag(
        parser, "fold", int | None, None, "audit the split that holds out this fold, not all folds against each other"
    )
    parsing.add_flag(parser, "split", str | None, None, "audit the split that holds out this part")
    parsing.add_flag(
        parser, "val_fraction", float, 0.0, "with the validation part that training cuts, as in `fgcrl finetune`"
    )
    parsing.add_flag(parser, "seed", int, 0, "seed of that part")
    parsing.add_flag(parser, "json", bool, False, "print as JSON")
    return parser, parsing.add_options(parser, cls) if cls else []


def _audit_lists(parsed: Any) -> tuple[auditing.AuditReport, Path | None]:
    sources = {name: cls() for name, cls in discovery.datasets().items()}
    identifiers = {name: cls.identify for name, cls in sources.items() if hasattr(cls, "identify")}
    table, kind = read_lists([Path(path) for path in parsed.lists], identifiers)
    root = Path(parsed.data) if parsed.data and not parsed.labels_only else None
    what = " and ".join(parsed.lists) + (f" (paths as in {kind})" if kind else "")
    with bar("reading pictures") as progress:
        groupings = {"subject": "subject", "album": "album", "original": "original"}
        return auditing.audit(table, what, groupings=groupings, root=root, near=parsed.near, progress=progress), root


def _audit_dataset(name: str, source: Any, parsed: Any) -> tuple[auditing.AuditReport, Path | None]:
    if not parsed.data:
        raise FinegrainedError(f"`fgcrl data audit {name}` needs --data PATH. {source.where}")
    records: Records = source.read(Path(parsed.data), labels_only=parsed.labels_only)
    table = _with_parts(records, parsed)
    groupings = {**getattr(source, "groupings", {}), **records.groupings}
    root = None if parsed.labels_only else records.root
    with bar("reading pictures") as progress:
        report = auditing.audit(
            table, records.protocol, groupings=groupings, root=root, near=parsed.near, progress=progress
        )
    report.dropped = dict(records.dropped)
    return report, root


def _with_parts(records: Records, parsed: Any) -> pd.DataFrame:
    """The records with a column `part`: folds or splits as they are, or train, val and test of the split asked for."""
    names = dict(enumerate(records.class_names))
    table = records.table.assign(label=records.table["label"].map(names))
    if parsed.fold is None and parsed.split is None and not parsed.val_fraction:
        return table.assign(part=auditing.parts_of(records)).sort_values(
            "part", key=lambda part: part.map(_rank), kind="stable"
        )
    parts = hold_out(records, split=parsed.split, fold=parsed.fold)
    if parsed.val_fraction:
        # As training cuts it: copies stay together, where the files may be read.
        digests = None if parsed.labels_only else fingerprint(records).require_pictures()["sha256"]
        parts = Partition(*cut_validation(records, parts.train, parsed.val_fraction, parsed.seed, digests), parts.test)
    pieces: list[pd.DataFrame] = [
        table.iloc[getattr(parts, part)].assign(part=part) for part in ("train", "val", "test")
    ]
    return pd.concat(pieces)


def _rank(part: str) -> int:
    """Training first, folds by number: what is evaluated stands behind what it may leak from."""
    return auditing.SPLIT_ORDER.index(part) if part in auditing.SPLIT_ORDER else int(part.rpartition(" ")[2])


def _show(report: auditing.AuditReport) -> None:
    print(report.what)
    print_table("", ("part", "images"), report.parts.items())
    print_table("", ("kind", "distinct ones"), report.counts.items())
    if report.crossings:
        rows = [
            (c.kind, c.first, c.second, f"{c.count} of {c.of}", ", ".join(c.examples[:2])) for c in report.crossings
        ]
        print_table("", ("on both sides", "part", "other part", "shared", "for example"), rows)
    for kind, groups in report.two_labels.items():
        for group in groups[:EXAMPLES]:
            print(f"{kind} with two labels: {' = '.join(group)}")
        if len(groups) > EXAMPLES:
            print(f".. {len(groups)} such in all (--json lists every one)")
    for line in left_out(report.dropped):
        print(f"advice: {line}")
    print(f"{_verdict(report)}: {len(report.crossings)} crossings; {_looked_at(report)}")


def _verdict(report: auditing.AuditReport) -> str:
    """What may be said: of pictures that could not be looked at, nothing."""
    if not report.clean:
        return "LEAKS" if report.complete else "LEAKS, and INCOMPLETE"
    return "clean" if report.complete else "INCOMPLETE, not clean"


def _looked_at(report: auditing.AuditReport) -> str:
    if not report.files_read and not report.missing:
        return "no image file read"
    words = [f"{report.files_read} image files read"]
    if report.missing:
        words.append(f"{len(report.missing)} missing (first: {report.missing[0]})")
    if report.unreadable:
        path, reason = next(iter(report.unreadable.items()))
        words.append(f"{len(report.unreadable)} can't be decoded (first: {path}: {reason})")
    return ", ".join(words)
