"""From the run folders of a study to tidy tables: one row per cell, one row per prediction. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.crossval.consistency import inconsistencies
from finegrained_crl.crossval.launch import failure_reason
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.data.identity import clusters
from finegrained_crl.errors import FinegrainedError

SHOWN = 5
"""Differences that one error names."""


@dataclass(frozen=True)
class Collected:
    """What a study has produced so far.

    Attributes:
        study: its plan.
        cells: one row per cell: cell, variant, fold, seed, state ("done" or "missing"), reason (last words of one that
            isn't done).
        results: cell -> content of its results.json.
        predictions: cell -> its predictions.parquet, and a column `cluster`: the subject, or the picture where none is
            known.
        accepted: differences between cells that the user accepted, one line each.
    """

    study: Study
    cells: pd.DataFrame
    results: dict[str, dict[str, Any]]
    predictions: dict[str, pd.DataFrame]
    accepted: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[Cell]:
        """The finished cells, in the order of the plan."""
        return [cell for cell in self.study.cells if cell.name in self.results]


def collect(folder: Path, *, accept_differences: bool = False) -> Collected:
    """Read a study.

    Args:
        folder: of the study.
        accept_differences: put cells side by side that don't belong together; what differs is kept in `accepted`.
    Raises:
        FinegrainedError: no study, one of another version, no finished cell, a run folder that is damaged, or cells
            that don't belong together; what differs is named.
    """
    place = StudyFolder(folder)
    study = place.read()
    results = {cell.name: place.run(cell).read_results() for cell in study.cells if place.run(cell).is_done}
    if not results:
        raise FinegrainedError(f"{folder} has no finished cell yet: run `fgcrl crossval --out {folder}`")
    done = [cell for cell in study.cells if cell.name in results]
    predictions = {cell.name: read_predictions(place.run(cell).checked(place.run(cell).predictions)) for cell in done}
    mismatches = inconsistencies(place, done, results, predictions)
    if mismatches and not accept_differences:
        more = f" (and {len(mismatches) - SHOWN} more)" if len(mismatches) > SHOWN else ""
        raise FinegrainedError(
            f"cells of {folder} don't belong together: {'; '.join(mismatches[:SHOWN])}{more}; "
            "train the odd ones again, or pass --accept-changed-data, which is written into the report"
        )
    rows = [_row(place, cell, cell.name in results) for cell in study.cells]
    return Collected(study, pd.DataFrame(rows), results, predictions, mismatches)


def logits_of(frame: pd.DataFrame) -> np.ndarray:
    """The logits of a predictions table, float64 (n, num_classes)."""
    return np.stack(frame["logits"].to_list()).astype(np.float64)


def read_predictions(path: Path) -> pd.DataFrame:
    """A predictions table, and a column `cluster`: the subject, or the picture where none is known.

    Raises:
        FinegrainedError: a damaged file.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, TypeError, KeyError) as error:  # pyarrow's own errors are ValueErrors
        raise FinegrainedError(
            f"{path} can't be read ({str(error).splitlines()[0]}): remove its cell and run fgcrl crossval again"
        ) from None
    return frame.assign(cluster=clusters(frame))


def _row(place: StudyFolder, cell: Cell, done: bool) -> dict[str, Any]:
    log = place.log(cell)
    reason = ""
    if not done:
        reason = failure_reason(log, 1) if log.is_file() else "not started"
    return {
        "cell": cell.name,
        "variant": cell.variant,
        "fold": cell.fold,
        "seed": cell.seed,
        "state": "done" if done else "missing",
        "reason": reason,
    }
