"""Published numbers beside ours: what was reproduced, by how much not, and what can't be compared.

A published number is one run's. It counts as reproduced where it lies within the interval in which one more run of ours
would lie (`statistics/one_run.py`), and only where data and settings are those that were printed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from finegrained_crl.crossval.origin import Origin
from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.tables import Sheet
from finegrained_crl.statistics.one_run import interval_for_one_run
from finegrained_crl.studies.study_file import StudyFile

Status = Literal["reproduced", "not reproduced", "not comparable", "one run", "not run", "theirs"]
COPY, GENERATED = "JPEG copy", "generated"


@dataclass(frozen=True)
class Entry:
    """One published number.

    Attributes:
        study: study file.
        part: of it.
        variant: whose number it is.
        metric: "error" or "accuracy", in percent.
        published: the number.
        where: table or figure.
        status: "reproduced", "not reproduced", "not comparable" (why), "one run" (no interval), "not run", "theirs" (a
            method that the study does not train).
        ours: mean over runs; None where there is none.
        low: lower end of the interval for one run.
        high: upper end.
        runs: how many.
        why: what keeps the numbers apart, or by how much they differ.
    """

    study: str
    part: str
    variant: str
    metric: str
    published: float
    where: str
    status: Status = "not run"
    ours: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    why: str = ""


def not_run(study: StudyFile) -> list[Entry]:
    """All published numbers of a study file, before anything ran; those of other methods are "theirs"."""
    entries = [_entry(study, row, "not run") for row in study.published]
    return entries + [_entry(study, row, "theirs") for row in study.beside]


def ledger(study: StudyFile, origin: Origin, cells: pd.DataFrame, primary: Figure, apart: list[str]) -> list[Entry]:
    """The published numbers of a part beside ours.

    Args:
        study: the file.
        origin: which part and scale ran, and what was not as printed.
        cells: one row per cell: variant, seed, fold, weights, and the figures; of one choice of weights.
        primary: the accuracy.
        apart: what else keeps the numbers from being compared (other data).
    """
    entries = [entry for entry in not_run(study) if entry.part == origin.part]
    values = {str(variant): _by_seed(rows, primary) for variant, rows in cells.groupby("variant")}
    reasons = [*apart, *origin.departures]
    return [_judged(entry, values.get(entry.variant, []), reasons) for entry in entries]


def data_apart(study: StudyFile, part: str, results: Iterable[dict[str, Any]]) -> list[str]:
    """What keeps a study's data from being those of the paper."""
    texts: dict[str, None] = {}
    for result in results:
        for kind in (COPY, GENERATED):
            if kind in result["protocol"]["text"]:
                texts[kind] = None
        sizes, wanted = [result["data"]["train"] + result["data"]["val"], result["data"]["test"]], study.sizes.get(part)
        if wanted and sizes != wanted:
            texts[f"{sizes[0]:,} and {sizes[1]:,} pictures, not {wanted[0]:,} and {wanted[1]:,}"] = None
    return list(texts)


def ledger_sheet(entries: list[Entry]) -> Sheet:
    """The ledger as a table."""
    columns = ["part", "variant", "published %", "ours %", "interval for one run", "runs", "verdict", "why", "where"]
    text = (
        "Published numbers are one run each. Reproduced: the published number lies within the 95 % interval for one"
        " more run of ours. Not comparable: other data, or settings that are not those printed."
    )
    return Sheet("published-ledger", "Published and ours", columns, [_row(entry) for entry in entries], text)


def _entry(study: StudyFile, row: dict[str, Any], status: Status) -> Entry:
    part, variant, metric = (str(row[key]) for key in ("part", "variant", "metric"))
    return Entry(study.name, part, variant, metric, float(row["value"]), str(row["where"]), status)


def _by_seed(rows: pd.DataFrame, primary: Figure) -> list[float]:
    """The accuracy of each seed in percent, folds averaged."""
    return [100 * float(value) for value in rows.groupby("seed")[primary.name].mean()]


def _judged(entry: Entry, accuracies: list[float], reasons: list[str]) -> Entry:
    if not accuracies or entry.status == "theirs":
        return entry
    values = [100 - value if entry.metric == "error" else value for value in accuracies]
    mean, interval = float(np.mean(values)), interval_for_one_run(values)
    low, high = interval or (None, None)
    seen = {**vars(entry), "ours": mean, "low": low, "high": high, "runs": len(values)}
    if reasons:
        return Entry(**{**seen, "status": "not comparable", "why": "; ".join(reasons)})
    if low is None or high is None:
        return Entry(**{**seen, "status": "one run", "why": f"{mean - entry.published:+.2f} points, no interval"})
    inside = low <= entry.published <= high
    status: Status = "reproduced" if inside else "not reproduced"
    return Entry(**{**seen, "status": status, "why": f"{mean - entry.published:+.2f} points"})


def _row(entry: Entry) -> list[str]:
    ours = "" if entry.ours is None else f"{entry.ours:.2f}"
    interval = "" if entry.low is None or entry.high is None else f"{entry.low:.2f} to {entry.high:.2f}"
    named = f"{variant_title(entry.variant)}, {entry.metric}"
    runs = str(entry.runs) if entry.runs else ""
    return [entry.part, named, f"{entry.published:.2f}", ours, interval, runs, entry.status, entry.why, entry.where]
