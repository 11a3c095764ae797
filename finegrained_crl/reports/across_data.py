"""Runs on several data sets: one row per run, one column per data set, from the folders of `fgcrl evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl import escaping, files
from finegrained_crl.crossval.gather import gather
from finegrained_crl.metrics.catalogue import find_figure, order_of, primary_figure
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.parts import read_parts, runs_of
from finegrained_crl.reports.tables import Sheet, latex, markdown
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.training.run_folder import RunFolder

SHOWN = 10
"""Classes that a note names; the table across-data.csv has them all."""
READING = (
    "The intervals (95 %) speak of other pictures or people of the same data set; chance in training is not in them."
    " A column's runs saw the same pictures, those of another column did not."
)


def is_across_data(folders: list[Path]) -> bool:
    """Whether these are runs and evaluations, not all on the same data: no study, nothing to pair."""
    if len(folders) < 2 or not all(RunFolder(folder).is_done for folder in folders):
        return False
    read = [RunFolder(folder).read_results() for folder in folders]
    measured = {(results["data"]["fingerprint"]["digest"], results["protocol"]["evaluated_on"]) for results in read}
    return len(measured) > 1 and any("evaluation" in results for results in read)


def across_data(folders: list[Path]) -> list[dict[str, Any]]:
    """One row per folder: what the run reached on that data set.

    Args:
        folders: of finished runs and evaluations.
    Returns:
        rows of folder, run, loss, seed, data, evaluated_on, images, left_out (pictures of classes that the run does not
        know), unknown_classes (these), classes_without_pictures (of the run's, where classes were matched), class_map,
        views, decoder, weights, leaks, figure, value, low, high (None where it can't be had).
    """
    return [_row(folder) for folder in folders]


def _row(folder: Path) -> dict[str, Any]:
    collected = gather([folder]).collected
    results = next(iter(collected.results.values()))
    figure = primary_figure(**order_of(results["data"]))
    parts = [part for part in read_parts(collected, None) if part.which == results["headline"]]
    one = estimate(runs_of(parts, figure) or [], figure.statistic, scale=figure.scale)
    ends = {name: None if value != value else value for name, value in (("low", one.low), ("high", one.high))}
    told = results.get("evaluation", {})
    return {
        "folder": str(folder),
        "run": told.get("run") or str(folder.absolute()),
        "loss": results["loss"]["name"],
        "seed": results["seed"],
        "data": results["protocol"]["text"],
        "evaluated_on": results["protocol"]["evaluated_on"],
        "images": results["protocol"]["denominator"],
        "left_out": sum(told.get("left_out", {}).values()),
        **_protocol(results),
        "figure": figure.name,
        "value": one.value,
        **ends,
    }


def _protocol(results: dict[str, Any]) -> dict[str, Any]:
    """What must be the same, or known, where figures of several data sets stand side by side."""
    told, protocol = results.get("evaluation", {}), results["protocol"]
    return {
        "unknown_classes": sorted(told.get("left_out", {})),
        "classes_without_pictures": told.get("classes_without_pictures", []),
        "class_map": told.get("class_map"),
        "views": protocol["views"],
        "decoder": protocol["decoder"],
        "weights": results["headline"],
        "leaks": protocol["leaks"],
    }


def across_notes(rows: list[dict[str, Any]]) -> list[str]:
    """Classes that the run and a data set don't share, what leaks, and how evaluations differ; a line each."""
    notes = []
    for row in rows:
        unmatched = {"the run does not know": row["unknown_classes"], "no picture of": row["classes_without_pictures"]}
        for what, names in unmatched.items():
            if names:
                notes.append(f"{Path(row['folder']).name}, classes matched {_matched(row)}: {what} {_named(names)}")
        notes += [f"{Path(row['folder']).name}: {leak}" for leak in row["leaks"]]
    for setting in ("figure", "views", "decoder", "weights"):
        values = sorted({str(row[setting]) for row in rows})
        if len(values) > 1:
            notes.append(f"not all rows have the same {setting}: {', '.join(values)}")
    return notes


def _matched(row: dict[str, Any]) -> str:
    return "by name" if row["class_map"] in (None, "by name") else f"by {Path(row['class_map']).name}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def across_sheet(rows: list[dict[str, Any]]) -> Sheet:
    """The table: a row per run, a column per data set and part."""
    columns = list(dict.fromkeys(_where(row) for row in rows))
    by_run: dict[str, dict[str, str]] = {}
    for row in rows:
        name = f"{Path(row['run']).name}: {variant_title(row['loss'])}, seed {row['seed']}"
        by_run.setdefault(name, {})[_where(row)] = _shown(row)
    cells = [[name, *(shown.get(column, "-") for column in columns)] for name, shown in by_run.items()]
    figures = list(dict.fromkeys(find_figure(row["figure"]).title for row in rows))
    return Sheet("across-data", f"Across data sets, {', '.join(figures)}", ["run", *columns], cells, READING)


def _where(row: dict[str, Any]) -> str:
    left_out = f", {row['left_out']} of unknown classes left out" if row["left_out"] else ""
    return f"{row['data']}: {row['evaluated_on']} ({row['images']} pictures{left_out})"


def _shown(row: dict[str, Any]) -> str:
    figure = find_figure(row["figure"])
    if row["low"] is None:
        return figure.show(row["value"])
    return f"{figure.show(row['value'])} [{figure.show(row['low'])}, {figure.show(row['high'])}]"


def write_across_data(out: Path, rows: list[dict[str, Any]]) -> list[Path]:
    """Write report.md and tables/across-data.csv, .tex and .md.

    Returns:
        the files written, report.md first.
    """
    sheet = across_sheet(rows)
    cells = pd.DataFrame(rows).map(lambda value: "|".join(value) if isinstance(value, list) else value)
    table = cells.map(escaping.csv_cell).to_csv(index=False)
    notes = "".join(f"\n- {escaping.markdown(note)}" for note in across_notes(rows))
    body = f"{markdown(sheet)}\n\n{escaping.markdown(sheet.text)}\n{notes}\n".rstrip() + "\n"
    texts = {
        out / "report.md": f"# {escaping.markdown(sheet.title)}\n\n{body}",
        out / "tables" / "across-data.csv": table,
        out / "tables" / "across-data.tex": latex(sheet),
        out / "tables" / "across-data.md": body,
    }
    for path, text in texts.items():
        files.write_text(path, text)
    return list(texts)
