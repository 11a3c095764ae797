"""From the run folders of a study to tidy tables: one row per cell, one row per prediction. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.crossval.launch import failure_reason
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError


@dataclass(frozen=True)
class Collected:
    """What a study has produced so far.

    Attributes:
        study: its plan.
        cells: one row per cell: cell, variant, fold, seed, state ("done" or "missing"), reason (last words of one that isn't done).
        results: cell -> content of its results.json.
        predictions: cell -> its predictions.parquet, and a column `cluster`: the subject, or the picture where none is known.
    """

    study: Study
    cells: pd.DataFrame
    results: dict[str, dict[str, Any]]
    predictions: dict[str, pd.DataFrame]

    @property
    def done(self) -> list[Cell]:
        """The finished cells, in the order of the plan."""
        return [cell for cell in self.study.cells if cell.name in self.results]


def collect(folder: Path) -> Collected:
    """Read a study.

    Raises:
        FinegrainedError: no study, one of another version, no finished cell, or a run folder that is damaged.
    """
    place = StudyFolder(folder)
    study = place.read()
    results = {cell.name: place.run(cell).read_results() for cell in study.cells if place.run(cell).is_done}
    if not results:
        raise FinegrainedError(f"{folder} has no finished cell yet: run `fgcrl crossval --out {folder}`")
    predictions = {name: _predictions(folder / "cells" / name / "predictions.parquet") for name in results}
    rows = [_row(place, cell, cell.name in results) for cell in study.cells]
    return Collected(study, pd.DataFrame(rows), results, predictions)


def logits_of(frame: pd.DataFrame) -> np.ndarray:
    """The logits of a predictions table, float64 (n, num_classes)."""
    return np.stack(frame["logits"].to_list()).astype(np.float64)


def _predictions(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FinegrainedError(
            f"{path} can't be read ({str(error).splitlines()[0]}): remove its cell and run fgcrl crossval again"
        ) from None
    subject = frame["subject"].astype("string") if "subject" in frame else pd.Series(pd.NA, index=frame.index, dtype="string")
    return frame.assign(cluster=("subject " + subject).fillna("image " + frame["path"]))


def _row(place: StudyFolder, cell: Cell, done: bool) -> dict[str, Any]:
    log = place.log(cell)
    reason = "" if done else failure_reason(log, 1) if log.is_file() else "not started"
    return {
        "cell": cell.name,
        "variant": cell.variant,
        "fold": cell.fold,
        "seed": cell.seed,
        "state": "done" if done else "missing",
        "reason": reason,
    }
