"""report.md, and each of its tables as CSV and LaTeX, from the figures of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl import escaping, files
from finegrained_crl.crossval.collect import Collected
from finegrained_crl.reports.sheets import make_sheets
from finegrained_crl.reports.study import StudyFigures
from finegrained_crl.reports.tables import Sheet, latex, markdown


def report_sheets(collected: Collected, figures: StudyFigures) -> list[Sheet]:
    """The tables of the report, in its order."""
    dataset = next(iter(collected.results.values()))["dataset"]["name"]
    return make_sheets(figures, dataset, facts(collected)["data"])


def write_report(folder: Path, collected: Collected, figures: StudyFigures) -> list[Path]:
    """Write report.md and tables/*.csv (full precision), tables/*.tex and *.md (as printed) into a study's folder.

    Returns:
        the files written, report.md first.
    """
    sheets = report_sheets(collected, figures)
    written = [folder / "report.md"]
    for name, table in vars(figures).items():
        if isinstance(table, pd.DataFrame) and len(table):
            written.append(folder / "tables" / f"{name}.csv")
            files.write_text(written[-1], table.map(escaping.csv_cell).to_csv(index=False))
    protocol = "; ".join(
        f"{name}: {text}" for name, text in facts(collected).items() if name in ("data", "folds", "seeds")
    )
    for sheet in sheets:
        stem = escaping.file_name(sheet.name)
        texts = {".tex": latex(sheet, protocol), ".md": f"{markdown(sheet)}\n\n{escaping.markdown(sheet.text)}\n"}
        for suffix, text in texts.items():
            written.append(folder / "tables" / f"{stem}{suffix}")
            files.write_text(written[-1], text)
    files.write_text(folder / "report.md", report_text(collected, figures, sheets))
    return written


def report_text(collected: Collected, figures: StudyFigures, sheets: list[Sheet]) -> str:
    """The report in Markdown."""
    lines = [f"- {name}: {escaping.markdown(text)}" for name, text in facts(collected).items()]
    parts = ["# Study", "", *lines, ""]
    parts += [f"**{escaping.markdown(note)}**\n" for note in figures.notes]
    parts += [f"> {escaping.markdown(sentence)}\n" for sentence in figures.headline]
    for sheet in sheets:
        parts += [f"## {escaping.markdown(sheet.title)}", "", markdown(sheet), ""]
        parts += [escaping.markdown(sheet.text), ""] if sheet.text else []
    return "\n".join([*parts, READING])


def facts(collected: Collected) -> dict[str, str]:
    """What every number of the study rests on; where cells differ, each value with its cells' number or name."""
    protocols = [results["protocol"] for results in collected.results.values()]
    sizes = {cell.fold: collected.results[cell.name]["protocol"]["denominator"] for cell in collected.done}
    dropped = _each(sum(results["data"]["dropped"].values()) for results in collected.results.values())
    shown_sizes = " / ".join(str(n) for n in sizes.values())
    return {
        "data": _each(protocol["text"] for protocol in protocols),
        "label policy": _each(protocol["policy"] or "one way only" for protocol in protocols),
        "denominator": (
            f"{sum(sizes.values())} held-out pictures ({shown_sizes}), {dropped} rows of the source left out"
        ),
        "folds": "one fixed split" if list(sizes) == [None] else ", ".join(map(str, sizes)),
        "seeds": ", ".join(map(str, sorted({cell.seed for cell in collected.done}))),
        "cells": f"{len(collected.results)} of {len(collected.cells)} done",
        "method": _by_variant(collected, _method_text),
        "views at test time": _by_variant(collected, lambda results: str(results["protocol"]["views"])),
        "decoder": _by_variant(collected, lambda results: str(results["protocol"].get("decoder", "argmax"))),
        "validation": _each(_without_seed(protocol["validation"]) for protocol in protocols),
        "leaks": _each(
            "; ".join(p.get("leaks", [])) or "no subject and no listed picture on both sides" for p in protocols
        ),
    }


def _each(values: Iterable[Any]) -> str:
    """The distinct values, in order."""
    return "; ".join(dict.fromkeys(str(value) for value in values))


def _by_variant(collected: Collected, text: Callable[[dict[str, Any]], str]) -> str:
    """One text where all variants agree, else each variant's."""
    variants: dict[str, list[str]] = {}
    for cell in collected.done:
        variants.setdefault(text(collected.results[cell.name]), []).append(cell.variant)
    if len(variants) == 1:
        return next(iter(variants))
    return "; ".join(f"{shown} ({', '.join(dict.fromkeys(names))})" for shown, names in variants.items())


def _method_text(results: dict[str, Any]) -> str:
    return f"{results['method']['name']}, {results['backbone']} ({'; '.join(results['weights'])})"


def _without_seed(validation: str) -> str:
    """Each cell cuts its validation part with its own seed: naming the first cell's would be wrong for the others."""
    before, comma, seed = validation.rpartition(", seed ")
    return f"{before}, each cell's own seed" if comma and seed.isdigit() else validation


READING = """## How to read this

- *exact*: the predicted group is the label. *one-off*: it is the label's or next to it, over the data set's fixed
  groups.
- *MAE (groups)*: mean distance in group indices, not years. *macro MAE*: each group counts the same. *QWK*: quadratic
  weighted kappa.
- *ECE*: 15 bins, from the probabilities as they are; *after T*: after temperature scaling fitted on the cell's
  validation part.
- *intervals and verdicts*: docs/statistics.md says what they hold, how the rule was chosen, and how often it is wrong.
- *last*: weights of the last epoch. *selected on validation*: weights of the epoch with the best validation
  accuracy. *oracle on test*: chosen with the test labels, never a result.
"""
