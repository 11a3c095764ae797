"""A few pictures of each class, for a short run that says what it is."""

from __future__ import annotations

import dataclasses

from finegrained_crl.data.records import Records


def excerpt(records: Records, count: int) -> Records:
    """The first pictures of each class in each split and fold; the others are counted in `Records.dropped`.

    Args:
        records: the whole set.
        count: pictures of a class, at most.
    Returns:
        records whose protocol says that they are no whole set.
    """
    place = records.table.groupby(["label", "split", "fold"], dropna=False).cumcount()
    kept = records.table[place < count].reset_index(drop=True)
    reason = f"beyond the first {count} of its class and part (--pictures-per-class)"
    dropped = {**records.dropped, reason: len(records) - len(kept)}
    protocol = f"{records.protocol}, EXCERPT of {count} pictures a class and part"
    return dataclasses.replace(records, table=kept, dropped=dropped, protocol=protocol)
