"""A study in figures: per cell, per variant with spread and intervals, and in pairs against a baseline.

- A cell's figure is that of its held-out part. Seeds are averaged within a fold; the mean and the deviation are over
  folds (over seeds where there is one fold).
- The interval of a mean, and of a difference, holds every source of chance that the study repeated: see
  `statistics/estimate.py`. The pooled figure, of all held-out pictures together, is a second description without one.
- A difference is paired: same pictures, same folds, same seeds, averaged over these pairs of runs. What may be said of
  it is decided by `statistics/claims.py`.
- "last" weights and those "selected on validation" are never mixed; the best epoch on the test part is a third thing,
  and no result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.crossval.collect import Collected
from finegrained_crl.crossval.plan import Cell, base_name
from finegrained_crl.metrics.catalogue import Figure, figures_for, order_of, primary_figure
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.reports.breakdown import confusion_rows, group_rows, subgroup_columns, subgroup_rows
from finegrained_crl.reports.headline import headline
from finegrained_crl.reports.ledger import Entry, data_apart, ledger
from finegrained_crl.reports.nested import choose_settings
from finegrained_crl.reports.paired import differences, find_baselines
from finegrained_crl.reports.parts import TITLES, Part, grouped, one_seed, pooled_value, read_parts, runs_of
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.statistics.spread import fold_spread
from finegrained_crl.studies import find_study, study_files


@dataclass
class StudyFigures:
    """Everything that a report prints, as tables.

    Attributes:
        cells: one row per cell and choice of weights, a column per figure.
        variants: tidy: variant, weights, figure, mean, low, high, deviation, over, n, pooled, images, clusters.
        differences: tidy: variant, baseline, weights, figure, difference, low, high, verdict, p, p_holm, family,
            barred, probability_worse, _equivalent and _better, flip_p, smallest_flip_p, runs_won, pairs, folds, seeds.
        oracle: variant, mean, deviation, n: best epoch on the test part, where it was watched.
        groups: variant, weights, label, group, images, recall, low, high.
        confusion: tidy: variant, weights, label, class, predicted_label, predicted_class, images; pairs that occur, all
            folds and seeds.
        subgroups: variant, weights, column, value, images, people, low and high of the accuracy, a column per figure.
        choices: variant, weights, fold, setting, validation, test, grid_test, tried: what was chosen on validation.
        figures: those of the catalogue that say something of this data set.
        ordered: whether the classes have an order.
        primary: the figure of the headline.
        rope: half width of the region of practical equivalence, in points; 0 for none.
        headline: what the study says of the primary figure, one sentence per comparison.
        notes: what a reader must know.
        parts: the compared parts themselves, for pictures of them.
        baselines: variant -> what it is compared with.
        ledger: published numbers beside these, where the study was made from a study file.
        departures: settings that are not as that file has them from print.
    """

    cells: pd.DataFrame
    variants: pd.DataFrame
    differences: pd.DataFrame
    oracle: pd.DataFrame
    groups: pd.DataFrame
    confusion: pd.DataFrame
    subgroups: pd.DataFrame
    choices: pd.DataFrame
    figures: list[Figure]
    ordered: bool
    primary: Figure
    rope: float
    headline: list[str]
    notes: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    baselines: dict[str, str] = field(default_factory=dict)
    ledger: list[Entry] = field(default_factory=list)
    departures: tuple[str, ...] = ()


def study_figures(
    collected: Collected,
    *,
    baseline: str | None = None,
    decoder: Decoder | None = None,
    rope: float = 0.0,
    subgroups: Iterable[str] = (),
) -> StudyFigures:
    """Compute all figures of a study.

    Args:
        collected: its predictions.
        baseline: variant that the others are compared with; None: see `find_baselines`.
        decoder: how a group is chosen; None: as each cell's method does.
        rope: differences of less than so many points make no difference in practice; 0 for none.
        subgroups: columns to divide by, beside the data set's own.
    Raises:
        FinegrainedError: no such baseline or column, or cells that were evaluated on different classes.
    """
    first = next(iter(collected.results.values()))
    order = order_of(first["data"])
    parts = list(read_parts(collected, decoder if order["ordered"] else "argmax"))
    chosen = [q for q in figures_for(len(first["class_names"]), **order) if _can_be_had(q, parts)]
    primary, select = primary_figure(**order), collected.study.select
    choices, everything = pd.DataFrame(), parts
    if select:
        parts, choices = choose_settings(parts, select, primary)
    variants = dict.fromkeys(base_name(name, select) for name in collected.study.variants)
    baselines = find_baselines(list(variants), baseline)
    names = first["class_names"]
    compared = differences(parts, baselines, chosen, primary=primary.name, rope=rope, held_out=_held_out(collected))
    cells = pd.DataFrame([_cell_row(part, chosen) for part in everything])
    origin = collected.study.origin
    columns = subgroup_columns(next(iter(grouped(parts))), first, subgroups)
    return StudyFigures(
        cells=cells,
        variants=_by_group(parts, lambda group: _variant_rows(group, chosen)),
        differences=compared,
        oracle=_oracle(collected),
        groups=_by_group(parts, lambda group: group_rows(group, names)),
        confusion=_by_group(parts, lambda group: confusion_rows(group, names)),
        subgroups=_by_group(parts, lambda group: subgroup_rows(group, columns, chosen)),
        choices=choices,
        figures=chosen,
        ordered=order["ordered"],
        primary=primary,
        rope=rope,
        headline=headline(compared, primary, TITLES[first["headline"]], rope),
        notes=study_notes(collected),
        parts=parts,
        baselines=baselines,
        ledger=_ledger(collected, cells[cells["weights"] == TITLES[first["headline"]]], primary),
        departures=origin.departures if origin else (),
    )


def _by_group(parts: list[Part], rows_of: Callable[[list[Part]], Iterable[dict[str, Any]]]) -> pd.DataFrame:
    """A table of the rows that each group of cells gives."""
    return pd.DataFrame([row for group in grouped(parts) for row in rows_of(group)])


def _can_be_had(figure: Figure, parts: list[Part]) -> bool:
    """Whether any part has what the figure needs beside logits: a temperature, ages, the annotators' spread."""
    return any(figure.totals(part.scores) is not None for part in parts)


def _ledger(collected: Collected, cells: pd.DataFrame, primary: Figure) -> list[Entry]:
    """Published numbers beside those of the study; none where its file is not installed any more."""
    origin = collected.study.origin
    if origin is None or origin.study not in study_files():
        return []
    file = find_study(origin.study)
    return ledger(file, origin, cells, primary, data_apart(file, origin.part, collected.results.values()))


def _held_out(collected: Collected) -> float:
    """Share of the pictures that a cell holds out, for the correction of overlapping training sets."""
    sizes = [results["data"] for results in collected.results.values()]
    return float(np.mean([size["test"] / (size["train"] + size["val"] + size["test"]) for size in sizes]))


def _cell_row(part: Part, chosen: list[Figure]) -> dict[str, Any]:
    who = {"variant": part.cell.variant, "weights": TITLES[part.which], "fold": part.cell.fold, "seed": part.cell.seed}
    figures = {q.name: q.value(part.scores) for q in chosen}
    return {**who, "images": len(part.frame), **figures, "temperature": part.temperature}


def _variant_rows(group: list[Part], chosen: list[Figure]) -> Iterator[dict[str, Any]]:
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    for figure in chosen:
        runs = runs_of(group, figure)
        if runs is None:
            continue
        one = estimate(runs, figure.statistic, scale=figure.scale)
        values, over = _per_fold(group, one.per_run.tolist())
        spread = fold_spread(values)
        yield {
            **who,
            "figure": figure.name,
            "mean": one.value,
            "low": one.low,
            "high": one.high,
            "not_in_it": "; ".join(one.not_in_it),
            "deviation": spread.deviation,
            "over": over,
            "n": spread.n,
            "pooled": pooled_value(group, figure),
            "images": sum(len(part.frame) for part in one_seed(group)),
            "clusters": one.clusters,
        }


def _per_fold(group: list[Part], values: list[float]) -> tuple[list[float], str]:
    """Figures to take the spread of: one per fold, seeds averaged; one per seed where there is a single fold."""
    table = pd.DataFrame(
        {"fold": [str(p.cell.fold) for p in group], "seed": [p.cell.seed for p in group], "value": values}
    )
    axis = "fold" if table["fold"].nunique() > 1 else "seed"
    return table.groupby(axis)["value"].mean().tolist(), f"{axis}s"


def _oracle(collected: Collected) -> pd.DataFrame:
    rows: dict[str, list[tuple[Cell, float]]] = {}
    for cell in collected.done:
        oracle = collected.results[cell.name].get("oracle_on_test")
        if oracle:
            rows.setdefault(cell.variant, []).append((cell, float(oracle["top1_accuracy"])))
    spreads = {variant: fold_spread(_fold_means(values)) for variant, values in rows.items()}
    return pd.DataFrame(
        [{"variant": v, "mean": s.mean, "deviation": s.deviation, "n": s.n} for v, s in spreads.items()]
    )


def _fold_means(values: list[tuple[Cell, float]]) -> list[float]:
    table = pd.DataFrame({"fold": [str(cell.fold) for cell, _ in values], "value": [value for _, value in values]})
    means: list[float] = table.groupby("fold")["value"].mean().tolist()
    return means if len(means) > 1 else table["value"].tolist()


def study_notes(collected: Collected) -> list[str]:
    """What a reader must know before any number: cells that are missing or differ, leaks."""
    missing = collected.cells[collected.cells["state"] != "done"]
    notes = [
        f"{len(missing)} of {len(collected.cells)} cells are missing: {name}: {why}"
        for name, why in missing[["cell", "reason"]].head(1).to_numpy()
    ]
    notes += [f"CELLS DIFFER, allowed by --accept-changed-data: {text}" for text in collected.accepted]
    changes = {text for results in collected.results.values() for text in results["data"].get("accepted_changes", [])}
    notes += [
        f"THE DATA CHANGED while a cell ran, allowed by --accept-changed-data: {text}" for text in sorted(changes)
    ]
    leaks = sorted({leak for results in collected.results.values() for leak in results["protocol"].get("leaks", [])})
    notes += [f"THE SPLIT LEAKS, allowed by --allow-leaks: {leak}" for leak in leaks]
    return notes
