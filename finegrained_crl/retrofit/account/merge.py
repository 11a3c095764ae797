"""The rows of all processes as one list: counts are added up, what one process measured stands for all."""

from __future__ import annotations

from collections.abc import Iterable

from finegrained_crl.retrofit.sites.rows import Counters, Part, Row

IDENTITY = frozenset(("kind", "site", "column", "function", "loss", "action", "role", "reason", "shim", "of"))
"""Rows that agree in these are one."""
AGAIN = 2  # passes of a chain of callers without an update, of which a kill, or the program's end, explains one
MANY = 0.1  # of the passes: the incomplete last group of gradients that are accumulated is far fewer


def merge_rows(parts: Iterable[Part]) -> list[Row]:
    """Add up what the processes wrote.

    Args:
        parts: from `read_ledgers`.
    Returns:
        one row per place and decision, with `processes` that saw it.
    """
    totals: dict[str, Row] = {}
    chains: dict[str, dict[str, Counters]] = {}
    for part in parts:
        for row in part["rows"]:
            identity = repr(sorted(item for item in row.items() if item[0] in IDENTITY))
            if identity not in totals:
                zero = Counters(count=0, flowed=0, updated=0, skipped=0, zeroed=0, looked=0, undone=0)
                totals[identity] = {**row, **zero, "processes": 0, "misfit": 0.0}
            _add(totals[identity], row)
            chain = chains.setdefault(identity, {}).setdefault(repr(row.get("callers")), Counters(flowed=0, updated=0))
            chain["flowed"] += row.get("flowed", 0)
            chain["updated"] += row.get("updated", 0)
    for identity, total in totals.items():
        never_used = sum(map(_never_used, chains[identity].values()))
        zeroed = total["zeroed"] if total["zeroed"] > MANY * total["flowed"] else 0
        total["discarded"] = max(zeroed, never_used)
    return list(totals.values())


def _never_used(chain: Counters) -> int:
    """Passes of a chain of callers that never took part in an update."""
    return chain["flowed"] if chain["flowed"] >= AGAIN and not chain["updated"] else 0


def _add(total: Row, row: Row) -> None:
    total["processes"] += bool(row["count"])
    total["count"] += row["count"]
    total["flowed"] += row.get("flowed", 0)
    total["updated"] += row.get("updated", 0)
    total["skipped"] += row.get("skipped", 0)
    total["zeroed"] += row.get("zeroed", 0)
    total["looked"] += row.get("looked", 0)
    total["undone"] += row.get("undone", 0)
    total["misfit"] = max(total["misfit"], row.get("misfit", 0.0))
    first_seen = {name: value for name, value in row.items() if name not in total}
    total |= first_seen  # type: ignore[typeddict-item]  # keys of a Row, as they came
