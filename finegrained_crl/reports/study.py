"""A study in figures: per cell, per variant with spread and intervals, and in pairs against a baseline.

- A cell's figure is that of its held-out part. Seeds are averaged within a fold; the mean and the deviation are over folds (over
  seeds where there is one fold).
- The pooled figure is that of all held-out pictures together; its interval draws subjects (pictures where no subject is known).
- A difference is paired: same pictures, same folds, same seeds. Its interval draws subjects, so it answers for other people; its
  p-value flips the sign of each cell's difference, so it answers for chance in training.
- "last" weights and those "selected on validation" are never mixed; the best epoch on the test part is a third thing, and no result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from finegrained_crl.crossval.collect import Collected, logits_of
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.calibration import fit_temperature, softmax
from finegrained_crl.metrics.intervals import (
    bootstrap_interval,
    cluster_totals,
    fold_spread,
    holm,
    paired_interval,
    sign_flip_test,
)
from finegrained_crl.metrics.ordinal import Decoder, decode, group_counts, recalls
from finegrained_crl.reports.quantities import QUANTITIES, Quantity, Scores
from finegrained_crl.training.recipe import Recipe

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
    """

    cell: Cell
    which: Which
    frame: pd.DataFrame
    scores: Scores
    temperature: float


@dataclass
class StudyFigures:
    """Everything that a report prints, as tables.

    Attributes:
        cells: one row per cell and choice of weights, a column per quantity.
        variants: tidy: variant, weights, quantity, mean, deviation, over, n, pooled, low, high, images, clusters.
        differences: tidy: variant, baseline, weights, quantity, difference, low, high, p, p_holm, exact_p, pairs.
        oracle: variant, mean, deviation, n: best epoch on the test part, where it was watched.
        groups: variant, weights, group, images, recall.
        confusion: variant, weights, group, then one column per predicted group: counts, all folds and seeds.
        subgroups: variant, weights, column, value, images, then a column per quantity.
        notes: what a reader must know.
    """

    cells: pd.DataFrame
    variants: pd.DataFrame
    differences: pd.DataFrame
    oracle: pd.DataFrame
    groups: pd.DataFrame
    confusion: pd.DataFrame
    subgroups: pd.DataFrame
    quantities: list[Quantity]
    notes: list[str] = field(default_factory=list)


def study_figures(collected: Collected, *, baseline: str | None = None, decoder: Decoder | None = None, seed: int = 0) -> StudyFigures:
    """Compute all figures of a study.

    Args:
        collected: its predictions.
        baseline: variant that the others are compared with; None: see `find_baselines`.
        decoder: how a group is chosen; None: as each cell's method does.
        seed: of the bootstrap.
    Raises:
        FinegrainedError: no such baseline, or cells that were evaluated on different classes.
    """
    first = next(iter(collected.results.values()))
    ordered = bool(first["data"].get("ordered"))
    quantities = [q for q in QUANTITIES if ordered or not q.ordered]
    parts = list(_parts(collected, decoder if ordered else "argmax"))
    if all(part.scores.calibrated is None for part in parts):
        quantities = [q for q in quantities if q.name != "ece_calibrated"]
    baselines = find_baselines(list(collected.study.variants), baseline)
    names = first["class_names"]
    return StudyFigures(
        cells=pd.DataFrame([_cell_row(part, quantities) for part in parts]),
        variants=pd.DataFrame([row for group in _grouped(parts) for row in _variant_rows(group, quantities, seed)]),
        differences=_differences(parts, baselines, quantities, seed),
        oracle=_oracle(collected),
        groups=pd.DataFrame([row for group in _grouped(parts) for row in _group_rows(group, names)]),
        confusion=pd.DataFrame([row for group in _grouped(parts) for row in _confusion_rows(group, names)]),
        subgroups=pd.DataFrame([row for group in _grouped(parts) for row in _subgroup_rows(group, first, quantities)]),
        quantities=quantities,
        notes=_notes(collected),
    )


def _parts(collected: Collected, decoder: Decoder | None) -> Iterator[Part]:
    classes = {tuple(results["class_names"]) for results in collected.results.values()}
    if len(classes) > 1:
        raise FinegrainedError("the cells of this study have different classes: no table can put them side by side")
    for cell in collected.done:
        frame, results = collected.predictions[cell.name], collected.results[cell.name]
        chosen = decoder or cast(Decoder, results["protocol"].get("decoder", "argmax"))
        for which in WEIGHTS:
            mine = frame[frame["weights"] == which]
            if (mine["part"] == "test").any():
                yield _part(cell, which, mine, chosen)


def _part(cell: Cell, which: Which, frame: pd.DataFrame, decoder: Decoder) -> Part:
    test, val = (frame[frame["part"] == part].sort_values("id", ignore_index=True) for part in ("test", "val"))
    logits = logits_of(test)
    temperature = fit_temperature(logits_of(val), val["label"].to_numpy()) if len(val) else float("nan")
    calibrated = logits / temperature if len(val) else None
    scores = Scores(logits, test["label"].to_numpy(), decode(softmax(logits), decoder), calibrated)
    return Part(cell, which, test.drop(columns="logits"), scores, temperature)


def _grouped(parts: list[Part]) -> list[list[Part]]:
    """Parts of one variant and choice of weights together."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.which, part.cell.variant), []).append(part)
    return list(groups.values())


def _cell_row(part: Part, quantities: list[Quantity]) -> dict[str, Any]:
    who = {"variant": part.cell.variant, "weights": TITLES[part.which], "fold": part.cell.fold, "seed": part.cell.seed}
    figures = {q.name: q.value(part.scores) for q in quantities}
    return {**who, "images": len(part.frame), **figures, "temperature": part.temperature}


def _variant_rows(group: list[Part], quantities: list[Quantity], seed: int) -> Iterator[dict[str, Any]]:
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    for q in quantities:
        totals = _totals(group, q)
        if totals is None:
            continue
        values, over = _per_fold(group, [q.value(part.scores) for part in group])
        spread, interval = fold_spread(values), bootstrap_interval(totals, q.statistic, seed=seed)
        yield {
            **who,
            "quantity": q.name,
            "mean": spread.mean,
            "deviation": spread.deviation,
            "over": over,
            "n": spread.n,
            "pooled": interval.value,
            "low": interval.low,
            "high": interval.high,
            "images": sum(len(part.frame) for part in _one_seed(group)),
            "clusters": len(totals),
        }


def _per_fold(group: list[Part], values: list[float]) -> tuple[list[float], str]:
    """Figures to take the spread of: one per fold, seeds averaged; one per seed where there is a single fold."""
    table = pd.DataFrame({"fold": [str(p.cell.fold) for p in group], "seed": [p.cell.seed for p in group], "value": values})
    axis = "fold" if table["fold"].nunique() > 1 else "seed"
    return table.groupby(axis)["value"].mean().tolist(), f"{axis}s"


def _one_seed(group: list[Part]) -> list[Part]:
    """One part per fold: every picture once."""
    return list({part.cell.fold: part for part in group}.values())


def _totals(group: list[Part], quantity: Quantity) -> np.ndarray | None:
    """Totals per subject over all folds and seeds of a variant, (subjects, m)."""
    tables = [quantity.totals(part.scores) for part in group]
    if any(table is None for table in tables):
        return None
    clusters = np.concatenate([part.frame["cluster"].to_numpy(dtype=str) for part in group])
    return cluster_totals(np.concatenate([table for table in tables if table is not None]), clusters)


def _differences(parts: list[Part], baselines: dict[str, str], quantities: list[Quantity], seed: int) -> pd.DataFrame:
    groups = {(g[0].which, g[0].cell.variant): g for g in _grouped(parts)}
    rows = []
    for (which, variant), group in groups.items():
        pairs = _pairs(group, groups.get((which, baselines[variant]), []))
        if variant != baselines[variant] and pairs:
            rows += [_difference(pairs, q, seed) for q in quantities if _totals(list(pairs[0]), q) is not None]
    table = pd.DataFrame(rows)
    if len(table):
        # One family per quantity and choice of weights: as many looks as there are variants.
        table["p_holm"] = table.groupby(["weights", "quantity"])["p"].transform(lambda p: holm(p.to_numpy()))
    return table


def _pairs(group: list[Part], others: list[Part]) -> list[tuple[Part, Part]]:
    """Runs of two variants on the same fold with the same seed and the same pictures."""
    known = {(part.cell.fold, part.cell.seed): part for part in others}
    found = [(part, known[part.cell.fold, part.cell.seed]) for part in group if (part.cell.fold, part.cell.seed) in known]
    return [(mine, other) for mine, other in found if mine.frame["id"].equals(other.frame["id"])]


def _difference(pairs: list[tuple[Part, Part]], q: Quantity, seed: int) -> dict[str, Any]:
    mine, others = [part for part, _ in pairs], [other for _, other in pairs]
    one, other = _totals(mine, q), _totals(others, q)
    per_cell = np.array([q.value(a.scores) - q.value(b.scores) for a, b in pairs])
    row = {"variant": mine[0].cell.variant, "baseline": others[0].cell.variant, "weights": TITLES[mine[0].which], "quantity": q.name}
    if one is None or other is None or not np.isfinite(per_cell).all():
        return {**row, "difference": np.nan, "low": np.nan, "high": np.nan, "p": np.nan, "exact_p": True, "pairs": len(pairs)}
    interval, test = paired_interval(one, other, q.statistic, seed=seed), sign_flip_test(per_cell, seed=seed)
    figures = {"difference": interval.value, "low": interval.low, "high": interval.high, "mean_over_cells": per_cell.mean()}
    return {**row, **figures, "p": test.p, "exact_p": test.exact, "pairs": test.n}


def _oracle(collected: Collected) -> pd.DataFrame:
    rows: dict[str, list[tuple[Cell, float]]] = {}
    for cell in collected.done:
        oracle = collected.results[cell.name].get("oracle_on_test")
        if oracle:
            rows.setdefault(cell.variant, []).append((cell, float(oracle["top1_accuracy"])))
    spreads = {variant: fold_spread(_fold_means(values)) for variant, values in rows.items()}
    return pd.DataFrame([{"variant": v, "mean": s.mean, "deviation": s.deviation, "n": s.n} for v, s in spreads.items()])


def _fold_means(values: list[tuple[Cell, float]]) -> list[float]:
    table = pd.DataFrame({"fold": [str(cell.fold) for cell, _ in values], "value": [value for _, value in values]})
    means: list[float] = table.groupby("fold")["value"].mean().tolist()
    return means if len(means) > 1 else table["value"].tolist()


def _counts(group: Iterable[Part]) -> np.ndarray:
    return np.asarray(sum(group_counts(p.scores.predicted, p.scores.labels, p.scores.logits.shape[1]) for p in group))


def _group_rows(group: list[Part], names: list[str]) -> list[dict[str, Any]]:
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    images = _counts(_one_seed(group)).sum(1)
    shares = recalls(_counts(group))
    return [{**who, "group": name, "images": int(images[i]), "recall": shares[i]} for i, name in enumerate(names)]


def _confusion_rows(group: list[Part], names: list[str]) -> list[dict[str, Any]]:
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    return [{**who, "label": names[i], **dict(zip(names, map(int, row), strict=True))} for i, row in enumerate(_counts(group))]


def _subgroup_rows(group: list[Part], results: dict[str, Any], quantities: list[Quantity]) -> Iterator[dict[str, Any]]:
    """Figures of the pictures that share a value of a subgroup column, all folds and seeds pooled."""
    frame = pd.concat([part.frame for part in group], ignore_index=True)
    who = {"variant": group[0].cell.variant, "weights": TITLES[group[0].which]}
    seeds = len({part.cell.seed for part in group})
    for column in results["data"].get("subgroups", []):
        if column not in frame:
            continue
        values = subgroup_values(frame[column])
        for value in dict.fromkeys(values.sort_values(key=lambda v: v.map(_by_number))):
            rows = (values == value).to_numpy()
            picked = _pick(group, rows)
            figures = {q.name: q.value(picked) for q in quantities}
            yield {**who, "column": column, "value": value, "images": round(rows.sum() / seeds), **figures}


def subgroup_values(column: pd.Series) -> pd.Series:
    """Texts to divide by: the values themselves where there are at most eight, else quarters of the numbers; "unknown" for none."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 8:
        edges = pd.qcut(column, 4, duplicates="drop")
        return edges.map(lambda i: f"{i.left:g} to {i.right:g}").astype("object").where(column.notna(), "unknown").astype(str)
    shown = column.map(lambda v: f"{v:g}") if pd.api.types.is_numeric_dtype(column) else column.astype("string")
    return shown.where(column.notna() & (shown != ""), "unknown").astype(str)


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text.partition(" ")[0]), text
    except ValueError:
        return float("inf"), text


def _pick(group: list[Part], rows: np.ndarray) -> Scores:
    calibrated = [part.scores.calibrated for part in group]
    known = [c for c in calibrated if c is not None]
    return Scores(
        np.concatenate([part.scores.logits for part in group])[rows],
        np.concatenate([part.scores.labels for part in group])[rows],
        np.concatenate([part.scores.predicted for part in group])[rows],
        np.concatenate(known)[rows] if len(known) == len(group) else None,
    )


def find_baselines(variants: list[str], asked: str | None = None) -> dict[str, str]:
    """What each variant is compared with.

    Args:
        variants: names of all.
        asked: the one that the user named, for all of them; None: plain cross-entropy with the same settings beside the loss, or
            "ce", or the first variant.
    Raises:
        FinegrainedError: no variant is called `asked`.

    >>> find_baselines(["ce lr=1", "crl loss.alpha=2 lr=1", "ce lr=2", "crl loss.alpha=2 lr=2"])["crl loss.alpha=2 lr=2"]
    'ce lr=2'
    """
    if asked and asked not in variants:
        raise FinegrainedError(f"no variant '{asked}' in this study: {nearest(asked, variants)}")
    general = asked or ("ce" if "ce" in variants else variants[0])
    alike = {name: " ".join(["ce", *_settings_beside_loss(name)]) for name in variants}
    return {name: general if asked or alike[name] not in variants else alike[name] for name in variants}


def _settings_beside_loss(variant: str) -> list[str]:
    words = [word for word in variant.split(" ")[1:] if "=" in word]
    known = Recipe().as_dict()
    return [word for word in words if word.partition("=")[0] in known or word.startswith(("dataset.", "method."))]


def _notes(collected: Collected) -> list[str]:
    missing = collected.cells[collected.cells["state"] != "done"]
    notes = [
        f"{len(missing)} of {len(collected.cells)} cells are missing: {name}: {why}"
        for name, why in missing[["cell", "reason"]].head(1).to_numpy()
    ]
    leaks = sorted({leak for results in collected.results.values() for leak in results["protocol"].get("leaks", [])})
    notes += [f"THE SPLIT LEAKS, allowed by --allow-leaks: {leak}" for leak in leaks]
    seeds, folds = len(collected.study.seeds), len(collected.study.folds)
    if len(collected.study.variants) > 1 and seeds * folds < 6:
        notes.append(f"{seeds * folds} pairs: no p-value can be below {2 ** (1 - seeds * folds):.3g}; add seeds")
    return notes
