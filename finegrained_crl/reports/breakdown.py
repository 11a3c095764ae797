"""A variant's predictions taken apart: by class, by confusion, by subgroup."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.metrics.ordinal import group_counts, recalls
from finegrained_crl.metrics.totals import with_count
from finegrained_crl.reports.parts import TITLES, Part, one_seed, pick
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.statistics.runs import Run, make_run

OF_EVERY_RUN = frozenset(["id", "path", "label", "fold", "subject", "part", "weights", "logits", "cluster"])
"""Columns of predictions that are no property of what a picture shows."""
MOST_CLASSES = 200
"""Classes whose recall gets an interval; of more, the table has the shares alone."""


def group_rows(group: list[Part], names: list[str]) -> list[dict[str, Any]]:
    """Images and recall of each class, all folds and seeds, with an interval where there are not too many classes."""
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    images = _counts(one_seed(group)).sum(1)
    shares = recalls(_counts(group))
    rows = []
    for i, name in enumerate(names):
        low, high = _recall_interval(group, i) if len(names) <= MOST_CLASSES else (np.nan, np.nan)
        ends = {"low": low, "high": high}
        rows.append({**who, "label": i, "group": name, "images": int(images[i]), "recall": shares[i], **ends})
    return rows


def _recall_interval(group: list[Part], label: int) -> tuple[float, float]:
    runs = [run for part in group if (run := _hits_of(part, part.scores.labels == label))]
    if not runs:
        return np.nan, np.nan
    one = estimate(runs, scale="share")
    return one.low, one.high


def _hits_of(part: Part, rows: np.ndarray) -> Run | None:
    """Hits of some pictures of a part; None where it has none of them."""
    if not rows.any():
        return None
    hits = part.scores.predicted[rows] == part.scores.labels[rows]
    return make_run(part.cell.fold, part.clusters[rows], with_count(hits))


def confusion_rows(group: list[Part], names: list[str]) -> list[dict[str, Any]]:
    """Counts, one row per pair of true and predicted class that occurs, all folds and seeds.

    Tidy rather than a column per class: a class may be called "variant", two may look alike, and a thousand would make
    a million cells.
    """
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    counts = _counts(group)
    return [
        {
            **who,
            "label": i,
            "class": names[i],
            "predicted_label": j,
            "predicted_class": names[j],
            "images": int(counts[i, j]),
        }
        for i, j in np.argwhere(counts)
    ]


def _counts(group: Iterable[Part]) -> np.ndarray:
    return np.asarray(sum(group_counts(p.scores.predicted, p.scores.labels, p.scores.logits.shape[1]) for p in group))


def subgroup_columns(group: list[Part], results: dict[str, Any], asked: Iterable[str]) -> list[str]:
    """The data set's own subgroup columns, and those asked for.

    Args:
        group: parts of one variant.
        results: of a run.
        asked: columns of predictions.parquet.
    Raises:
        FinegrainedError: the predictions have no such column.
    """
    columns = [column for column in group[0].frame.columns if column not in OF_EVERY_RUN]
    for column in asked:
        if column not in columns:
            raise FinegrainedError(
                f"--subgroup {column}: the predictions have no such column; {nearest(column, columns)}"
            )
    return list(dict.fromkeys([*results["data"].get("subgroups", []), *asked]))


def subgroup_rows(group: list[Part], columns: list[str], chosen: list[Figure]) -> Iterator[dict[str, Any]]:
    """Figures of the pictures that share a value of a subgroup column, all folds and seeds pooled."""
    frame = pd.concat([part.frame for part in group], ignore_index=True)
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    seeds = len({part.cell.seed for part in group})
    for column in columns:
        if column not in frame:
            continue
        values = subgroup_values(frame[column])
        for value in dict.fromkeys(values.sort_values(key=lambda v: v.map(_by_number))):
            rows = (values == value).to_numpy()
            picked = pick(group, rows)
            figures = {q.name: q.value(picked) for q in chosen}
            sizes = {"images": round(rows.sum() / seeds), "people": frame.loc[rows, "cluster"].nunique()}
            yield {**who, "column": column, "value": value, **sizes, **_accuracy_interval(group, rows), **figures}


def _accuracy_interval(group: list[Part], rows: np.ndarray) -> dict[str, float]:
    """Ends of the accuracy's interval on some rows of the parts laid end to end."""
    starts = np.cumsum([0, *(len(part.frame) for part in group)])
    slices = [rows[start:stop] for start, stop in itertools.pairwise(starts)]
    runs = [run for part, own in zip(group, slices, strict=True) if (run := _hits_of(part, own))]
    one = estimate(runs, scale="share")
    return {"low": one.low, "high": one.high}


def subgroup_values(column: pd.Series) -> pd.Series:
    """Texts to divide by: the values themselves where there are at most eight, else quarters of the numbers; "unknown"
    for none.
    """
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 8:
        edges = pd.qcut(column, 4, duplicates="drop")
        return (
            edges.map(lambda i: f"{i.left:g} to {i.right:g}", na_action="ignore")
            .astype("object")
            .where(column.notna(), "unknown")
            .astype(str)
        )
    shown = column.map(lambda v: f"{v:g}") if pd.api.types.is_numeric_dtype(column) else column.astype("string")
    return shown.where(column.notna() & (shown != ""), "unknown").astype(str)


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text.partition(" ")[0]), text
    except ValueError:
        return float("inf"), text
