"""report.md, and each of its tables as CSV and LaTeX, from the figures of a study."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl import files
from finegrained_crl.crossval.collect import Collected
from finegrained_crl.reports.quantities import Quantity
from finegrained_crl.reports.study import StudyFigures
from finegrained_crl.reports.tables import latex, markdown

MAIN = ("exact", "one_off", "mae", "qwk", "ece", "ece_calibrated")
OTHERS = ("cs2", "macro_mae", "nll", "brier")
PAIRED = ("exact", "one_off", "mae", "qwk", "nll", "ece")
NOT_A_RESULT = "best epoch chosen on the test part: an upper bound, not a result"


@dataclass(frozen=True)
class Sheet:
    """One table of a report.

    Attributes:
        name: of its files.
        title: above it.
        columns: headings; rows: cells, as people read them.
        text: below it.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    text: str = ""


def write_report(folder: Path, collected: Collected, figures: StudyFigures) -> list[Path]:
    """Write report.md and tables/*.csv (full precision), tables/*.tex (as printed) into a study's folder.

    Returns:
        the files written, report.md first.
    """
    sheets = make_sheets(collected, figures)
    tables = {name: table for name, table in vars(figures).items() if isinstance(table, pd.DataFrame) and len(table)}
    written = [folder / "report.md"]
    for name, table in tables.items():
        written.append(folder / "tables" / f"{name}.csv")
        files.write_text(written[-1], table.to_csv(index=False))
    for sheet in sheets:
        written.append(folder / "tables" / f"{sheet.name}.tex")
        files.write_text(written[-1], latex(sheet.columns, sheet.rows, sheet.title))
    files.write_text(folder / "report.md", report_text(collected, figures, sheets))
    return written


def report_text(collected: Collected, figures: StudyFigures, sheets: list[Sheet]) -> str:
    """The report in Markdown."""
    parts = ["# Study", "", *(f"- {name}: {text}" for name, text in facts(collected).items()), ""]
    parts += [f"**{note}**\n" for note in figures.notes]
    for sheet in sheets:
        parts += [f"## {sheet.title}", "", markdown(sheet.columns, sheet.rows), ""]
        parts += [sheet.text, ""] if sheet.text else []
    return "\n".join([*parts, READING])


def facts(collected: Collected) -> dict[str, str]:
    """What every number of the study rests on: data, policy, denominator, folds, seeds, views, decoder."""
    first = next(iter(collected.results.values()))
    protocol = first["protocol"]
    folds = {cell.fold: collected.results[cell.name]["protocol"]["denominator"] for cell in collected.done}
    sizes = " / ".join(str(n) for n in folds.values())
    dropped = sum(first["data"]["dropped"].values())
    found = {
        "data": protocol["text"],
        "label policy": protocol["policy"] or "one way only",
        "denominator": f"{sum(folds.values())} held-out pictures ({sizes}), {dropped} rows of the source left out",
        "folds": "one fixed split" if list(folds) == [None] else ", ".join(map(str, folds)),
        "seeds": ", ".join(map(str, sorted({cell.seed for cell in collected.done}))),
        "cells": f"{len(collected.results)} of {len(collected.cells)} done",
        "method": f"{first['method']['name']}, {first['backbone']} ({'; '.join(first['weights'])})",
        "views at test time": protocol["views"],
        "decoder": protocol.get("decoder", "argmax"),
        "validation": protocol["validation"],
        "leaks": "; ".join(protocol.get("leaks", [])) or "no subject and no listed picture on both sides",
    }
    return {name: str(text) for name, text in found.items()}


def make_sheets(collected: Collected, figures: StudyFigures) -> list[Sheet]:
    """The tables of the report, in its order."""
    sheets: list[Sheet] = []
    for weights in dict.fromkeys(figures.variants["weights"]):
        tag = weights.replace(" ", "-")
        mine = figures.variants[figures.variants["weights"] == weights]
        over = f"{mine['n'].iloc[0]} {mine['over'].iloc[0]}"
        sheets.append(_spread_sheet(f"losses-{tag}", f"Losses, {weights} weights", mine, _chosen(figures, MAIN), over))
        sheets.append(_pooled_sheet(f"pooled-{tag}", f"Pooled over all held-out pictures, {weights} weights", mine, _chosen(figures, MAIN)))
        sheets.append(_spread_sheet(f"more-{tag}", f"More figures, {weights} weights", mine, _chosen(figures, OTHERS), over))
        if len(figures.differences) and (figures.differences["weights"] == weights).any():
            sheets.append(_difference_sheet(tag, weights, figures))
        if collected_ordered(collected):
            sheets.append(_group_sheet(tag, weights, figures))
        sheets += _subgroup_sheets(tag, weights, figures)
    if len(figures.oracle):
        sheets.append(_oracle_sheet(figures))
    published = read_published(next(iter(collected.results.values()))["dataset"]["name"])
    if published:
        sheets.insert(2, _published_sheet(published, collected))
    return sheets


def collected_ordered(collected: Collected) -> bool:
    """Whether the classes of the study have an order."""
    return bool(next(iter(collected.results.values()))["data"].get("ordered"))


def read_published(dataset: str) -> list[dict[str, str]]:
    """Published figures of a data set, from `reports/published/NAME.csv`; none where there is no such file."""
    path = resources.files("finegrained_crl.reports") / "published" / f"{dataset}.csv"
    if not path.is_file():
        return []
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _chosen(figures: StudyFigures, names: tuple[str, ...]) -> list[Quantity]:
    return [q for q in figures.quantities if q.name in names]


def _figure(table: pd.DataFrame, variant: str, quantity: str) -> Any:
    rows = table[(table["variant"] == variant) & (table["quantity"] == quantity)]
    return rows.iloc[0] if len(rows) else None


def _spread_sheet(name: str, title: str, table: pd.DataFrame, quantities: list[Quantity], over: str) -> Sheet:
    rows = []
    for variant in dict.fromkeys(table["variant"]):
        found = [(q, _figure(table, variant, q.name)) for q in quantities]
        rows.append([variant, *("-" if f is None else _with_deviation(q, f["mean"], f["deviation"]) for q, f in found)])
    text = f"Mean ± sample standard deviation (ddof = 1) over {over}, seeds averaged within a fold."
    return Sheet(name, title, ["variant", *(q.title for q in quantities)], rows, text)


def _with_deviation(q: Quantity, mean: float, deviation: float) -> str:
    return q.show(mean) + ("" if np.isnan(deviation) else f" ± {q.show(deviation)}")


def _pooled_sheet(name: str, title: str, table: pd.DataFrame, quantities: list[Quantity]) -> Sheet:
    rows = []
    for variant in dict.fromkeys(table["variant"]):
        found = [(q, _figure(table, variant, q.name)) for q in quantities]
        shown = ["-" if f is None else f"{q.show(f['pooled'])} [{q.show(f['low'])}, {q.show(f['high'])}]" for q, f in found]
        rows.append([variant, *shown])
    text = (
        f"All {table['images'].iloc[0]} held-out pictures together, seeds pooled. In brackets: 95 % bootstrap interval, "
        f"{table['clusters'].iloc[0]} clusters drawn (the subject, or the picture where no subject is known)."
    )
    return Sheet(name, title, ["variant", *(q.title for q in quantities)], rows, text)


def _difference_sheet(tag: str, weights: str, figures: StudyFigures) -> Sheet:
    table = figures.differences[figures.differences["weights"] == weights]
    baselines, rows = list(dict.fromkeys(table["baseline"])), []
    for q in _chosen(figures, PAIRED):
        for _, row in table[table["quantity"] == q.name].iterrows():
            ends = f"[{q.show(row['low'], signed=True)}, {q.show(row['high'], signed=True)}]"
            p = f"{row['p']:.4f}" if row["exact_p"] else f"{row['p']:.4f} (sampled)"
            value = q.show(row["difference"], signed=True)
            rows.append([f"{row['variant']} - {row['baseline']}", q.title, value, ends, p, f"{row['p_holm']:.4f}", str(row["pairs"])])
    text = (
        "Paired: same pictures, folds and seeds. Interval: 95 % bootstrap by subject (other people). p: exact two-sided sign-flip test "
        "over the pairs of runs (chance in training); Holm: corrected for the number of variants compared."
    )
    columns = ["difference", "figure", "value", "95 % interval", "p", "p (Holm)", "pairs"]
    return Sheet(f"differences-{tag}", f"Differences from {', '.join(baselines)}, {weights} weights", columns, rows, text)


def _group_sheet(tag: str, weights: str, figures: StudyFigures) -> Sheet:
    table = figures.groups[figures.groups["weights"] == weights]
    groups = list(dict.fromkeys(table["group"]))
    rows = []
    for variant, mine in table.groupby("variant", sort=False):
        shown = ["-" if np.isnan(recall) else f"{100 * recall:.1f}" for recall in mine["recall"]]
        rows.append([str(variant), *shown])
    images = [str(n) for n in table["images"].iloc[: len(groups)]]
    return Sheet(f"recall-{tag}", f"Recall per group in %, {weights} weights", ["variant", *groups], [["(images)", *images], *rows])


def _subgroup_sheets(tag: str, weights: str, figures: StudyFigures) -> list[Sheet]:
    if not len(figures.subgroups):
        return []
    table, quantities, sheets = figures.subgroups[figures.subgroups["weights"] == weights], _chosen(figures, MAIN), []
    for column, mine in table.groupby("column", sort=False):
        by_value = mine.sort_values("value", key=_first_seen, kind="stable")
        rows = [
            [f"{r['value']}: {r['variant']}", str(r["images"]), *(q.show(r[q.name]) for q in quantities)] for _, r in by_value.iterrows()
        ]
        title = f"By {str(column).replace('_', ' ')}, {weights} weights"
        sheets.append(Sheet(f"{column}-{tag}", title, [str(column), "images", *(q.title for q in quantities)], rows))
    return sheets


def _first_seen(values: pd.Series) -> pd.Series:
    order = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return values.map(order)


def _oracle_sheet(figures: StudyFigures) -> Sheet:
    rows = [[str(r["variant"]), f"{100 * r['mean']:.2f} ± {100 * r['deviation']:.2f}", str(r["n"])] for _, r in figures.oracle.iterrows()]
    return Sheet("oracle-on-test", "Oracle on test (not a result)", ["variant", "exact %", "n"], rows, f"{NOT_A_RESULT.capitalize()}.")


def _published_sheet(published: list[dict[str, str]], collected: Collected) -> Sheet:
    columns = ["published method", "exact %", "one-off %", "label policy", "extra data", "protocol", "source"]
    rows = [[row[c] or "-" for c in ("method", "exact", "one_off", "policy", "extra_data", "protocol", "source")] for row in published]
    protocol = facts(collected)["data"]
    warning = f"This study is on {protocol}: nothing in it can be compared with these rows. " if "generated" in protocol else ""
    text = warning + "Compare only rows of the same label policy, extra data and protocol; none of these states a spread or an interval."
    return Sheet("published", "Published figures", columns, rows, text)


READING = """## How to read this

- *exact*: the predicted group is the label. *one-off*: it is the label's or next to it, over the data set's fixed groups.
- *MAE (groups)*: mean distance in group indices, not years. *macro MAE*: each group counts the same. *QWK*: quadratic weighted kappa.
- *ECE*: 15 bins, from the probabilities as they are; *after T*: after temperature scaling fitted on the cell's validation part.
- *last*: weights of the last epoch. *selected on validation*: weights of the epoch with the best validation accuracy. *oracle on test*:
  chosen with the test labels, never a result.
"""
