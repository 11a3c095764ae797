"""The held-out part of every cell of a study, read once: predictions, labels, calibrated logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd

from finegrained_crl.crossval.collect import Collected, logits_of
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.ages import AgeScale, age_truth, joined_answers, scale_from_dict
from finegrained_crl.metrics.calibration import fit_temperature
from finegrained_crl.metrics.catalogue import Figure, Scores, make_scores
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.metrics.totals import summed
from finegrained_crl.statistics.runs import Run, make_run

Which = Literal["last", "selected"]
WEIGHTS: tuple[Which, ...] = ("last", "selected")
TITLES: dict[str, str] = {"last": "last", "selected": "selected on validation"}


@dataclass(frozen=True)
class Part:
    """The held-out part of one cell under one choice of weights.

    Attributes:
        cell: which run.
        which: "last" or "selected".
        frame: its predictions, in the order of their ids.
        scores: of these rows.
        temperature: fitted on the cell's validation part, NaN without one.
        validation: scores of the cell's validation part, None without one.
    """

    cell: Cell
    which: Which
    frame: pd.DataFrame
    scores: Scores
    temperature: float
    validation: Scores | None = None

    @property
    def clusters(self) -> np.ndarray:
        """Who is drawn together in a bootstrap: the subject of each picture, or the picture."""
        return self.frame["cluster"].to_numpy(dtype=str)


def read_parts(collected: Collected, decoder: Decoder | None) -> Iterator[Part]:
    """All held-out parts of the finished cells.

    Raises:
        FinegrainedError: the cells have different classes.
    """
    classes = {tuple(results["class_names"]) for results in collected.results.values()}
    if len(classes) > 1:
        raise FinegrainedError("the cells of this study have different classes: no table can put them side by side")
    for cell in collected.done:
        frame, results = collected.predictions[cell.name], collected.results[cell.name]
        chosen = decoder or cast(Decoder, results["protocol"].get("decoder", "argmax"))
        scale = scale_from_dict(results["data"].get("ages"))
        for which in WEIGHTS:
            rows = frame[frame["weights"] == which]
            if (rows["part"] == "test").any():
                yield _part(cell, which, rows, chosen, scale)


def _part(cell: Cell, which: Which, frame: pd.DataFrame, decoder: Decoder, scale: AgeScale | None) -> Part:
    test, val = (frame[frame["part"] == part].sort_values("id", ignore_index=True) for part in ("test", "val"))
    logits, temperature, calibrated, validation = logits_of(test), float("nan"), None, None
    if len(val):
        # On the validation part: a temperature fitted on the test pictures would grade itself.
        truth = age_truth(val, scale)
        validation = make_scores(logits_of(val), val["label"].to_numpy(), decoder, ages=truth)
        temperature = fit_temperature(validation.logits, validation.labels)
        calibrated = logits / temperature
    scores = make_scores(logits, test["label"].to_numpy(), decoder, calibrated, age_truth(test, scale))
    return Part(cell, which, test.drop(columns="logits"), scores, temperature, validation)


def grouped(parts: list[Part]) -> list[list[Part]]:
    """Parts of one variant and choice of weights together."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.which, part.cell.variant), []).append(part)
    return list(groups.values())


def one_seed(group: list[Part]) -> list[Part]:
    """One part per fold: every picture once."""
    return list({part.cell.fold: part for part in group}.values())


def runs_of(group: list[Part], figure: Figure, baseline: list[Part] | None = None) -> list[Run] | None:
    """What the estimators need of one variant's parts, or of pairs; None where a part lacks what the figure needs."""
    tables = [figure.totals(part.scores) for part in group]
    others = [None] * len(group) if baseline is None else [figure.totals(part.scores) for part in baseline]
    if any(table is None for table in (*tables, *(others if baseline is not None else ()))):
        return None
    runs = []
    for part, table, other in zip(group, tables, others, strict=True):
        if table is not None:
            runs.append(make_run(part.cell.fold, part.clusters, table, other))
    return runs


def pooled_value(group: list[Part], figure: Figure) -> float:
    """The figure of all held-out pictures of a variant together."""
    tables = [figure.totals(part.scores) for part in group]
    sums = [summed(table) for table in tables if table is not None]
    return float(figure.statistic(np.sum(sums, axis=0))[0])


def pick(group: list[Part], rows: np.ndarray) -> Scores:
    """The scores of some rows of the parts laid end to end."""
    calibrated = [part.scores.calibrated for part in group if part.scores.calibrated is not None]
    ages = joined_answers([part.scores.ages for part in group])
    return Scores(
        np.concatenate([part.scores.logits for part in group])[rows],
        np.concatenate([part.scores.labels for part in group])[rows],
        np.concatenate([part.scores.predicted for part in group])[rows],
        np.concatenate(calibrated)[rows] if len(calibrated) == len(group) else None,
        None if ages is None else ages.pick(rows),
    )
