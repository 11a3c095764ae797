"""Images that a list names and the disk lacks: listed, counted, refused - or left out when the user says so."""

from __future__ import annotations

import dataclasses

from finegrained_crl.data.picture_source import is_there
from finegrained_crl.data.records import Records, check_records
from finegrained_crl.errors import FinegrainedError

REASON = "image file missing"
SHOWN = 10


def without_missing(records: Records) -> Records:
    """The records whose image file is there; the others are counted in `Records.dropped`.

    Raises:
        FinegrainedError: no image is left, or a class has none left.
    """
    there = records.table["path"].map(lambda path: is_there(records.root / path)).astype(bool)
    if there.all():
        return records
    if not there.any():
        raise FinegrainedError(missing_text([str(records.root / path) for path in records.table["path"]], len(there)))
    dropped = {**records.dropped, REASON: int((~there).sum())}
    kept = dataclasses.replace(records, table=records.table[there].reset_index(drop=True), dropped=dropped)
    check_records(kept)
    return kept


def missing_text(paths: list[str], total: int) -> str:
    """One line about missing images: how many of how many, the first of them, what to do."""
    unique = list(dict.fromkeys(paths))
    shown = ", ".join(unique[:SHOWN]) + (f" and {len(unique) - SHOWN} more" if len(unique) > SHOWN else "")
    share = f"{100 * len(paths) / total:.1f} %"
    return (
        f"{len(paths)} of {total} listed images ({share}) are missing: no such image {shown}; put them there (`fgcrl"
        " data verify` lists all), or leave them out with --missing skip, which is counted in results.json"
    )
