"""The rows of all processes as one list: counts are added up, what one process measured stands for all."""

from __future__ import annotations

from collections.abc import Iterable

from finegrained_crl.retrofit.sites.rows import Counters, Part, Row

IDENTITY = frozenset(("kind", "site", "column", "function", "loss", "action", "role", "reason", "shim"))
"""Rows that agree in these are one."""


def merge_rows(parts: Iterable[Part]) -> list[Row]:
    """Add up what the processes wrote.

    Args:
        parts: from `read_ledgers`.
    Returns:
        one row per place and decision, with `processes` that saw it.
    """
    totals: dict[str, Row] = {}
    for part in parts:
        for row in part["rows"]:
            identity = repr(sorted(item for item in row.items() if item[0] in IDENTITY))
            if identity not in totals:
                zero = Counters(count=0, flowed=0, updated=0, skipped=0)
                totals[identity] = {**row, **zero, "processes": 0, "misfit": 0.0}
            _add(totals[identity], row)
    return list(totals.values())


def _add(total: Row, row: Row) -> None:
    total["processes"] += bool(row["count"])
    total["count"] += row["count"]
    total["flowed"] += row.get("flowed", 0)
    total["updated"] += row.get("updated", 0)
    total["skipped"] += row.get("skipped", 0)
    total["misfit"] = max(total["misfit"], row.get("misfit", 0.0))
    first_seen = {name: value for name, value in row.items() if name not in total}
    total |= first_seen  # type: ignore[typeddict-item]  # keys of a Row, as they came
