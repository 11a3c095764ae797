"""Whether the cells of a study belong together: one plan, one state of the data, one protocol, and results that follow
from predictions.

Everything that puts two cells side by side comes through here first. A difference is named and refused; who accepts it
has it written over the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.data.changes import differences as data_differences
from finegrained_crl.metrics.catalogue import find_figure, make_scores
from finegrained_crl.training.run_folder import differences

SIZES = ("views", "image_size", "resize", "eval_resize_ratio")
TOLERANCE = 1e-6


def inconsistencies(
    place: StudyFolder, cells: list[Cell], results: dict[str, dict[str, Any]], predictions: dict[str, pd.DataFrame]
) -> list[str]:
    """What keeps the finished cells of a study from being compared, one line each.

    Args:
        place: the study's folder.
        cells: the finished cells.
        results: cell -> content of its results.json.
        predictions: cell -> its predictions.parquet.
    """
    lines = []
    for cell in cells:
        lines += [f"{cell.name}: {text}" for text in _against_plan(place, cell, results[cell.name])]
        lines += [f"{cell.name}: {text}" for text in _against_predictions(results[cell.name], predictions[cell.name])]
    return lines + list(_between_cells(place, cells, results))


def _against_plan(place: StudyFolder, cell: Cell, results: dict[str, Any]) -> Iterator[str]:
    """Settings of a cell that are not those of the study's plan."""
    yield from differences(place.run(cell).read_recipe(), cell.recipe.as_dict())
    planned = cell.recipe.as_dict()
    for name in SIZES:
        if name in results["protocol"] and results["protocol"][name] != planned[name]:
            yield f"results.json says {name} {results['protocol'][name]}, the plan {planned[name]}"


def _against_predictions(results: dict[str, Any], frame: pd.DataFrame) -> Iterator[str]:
    """Where results.json does not follow from predictions.parquet."""
    denominator = results["protocol"]["denominator"]
    for key, which in (("last", "last"), ("selected_on_validation", "selected")):
        metrics = (results["metrics"].get(key) or {}).get("test")
        rows = frame[(frame["weights"] == which) & (frame["part"] == "test")]
        if metrics is None and rows.empty:
            continue
        if metrics is None or rows.empty:
            yield f"{which} weights: in one of results.json and predictions.parquet, and not in the other"
            continue
        if not len(rows) == denominator == metrics["num_images"]:
            said = f"denominator {denominator}, {metrics['num_images']} images"
            yield f"{which} weights: {len(rows)} predictions, results.json says {said}"
        if rows["id"].duplicated().any():
            yield f"{which} weights: {rows['id'][rows['id'].duplicated()].iloc[0]} is predicted twice"
        accuracy = _top1(rows)
        if abs(accuracy - metrics["top1_accuracy"]) > TOLERANCE:
            said = f"results.json says {metrics['top1_accuracy']:.6f}"
            yield f"{which} weights: the predictions have a top-1 accuracy of {accuracy:.6f}, {said}"


def _top1(rows: pd.DataFrame) -> float:
    logits = np.stack(rows["logits"].to_list())
    return find_figure("top1_accuracy").value(make_scores(logits, rows["label"].to_numpy()))


def _between_cells(place: StudyFolder, cells: list[Cell], results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Where a cell differs from the first one that should be like it."""
    firsts: dict[str, Cell] = {}
    for cell in cells:
        recipe = cell.recipe
        kind = str((recipe.dataset, recipe.data, recipe.missing))
        first = firsts.setdefault(kind, cell)
        if cell is not first:
            yield from (f"{cell.name} and {first.name}: {text}" for text in _pair(place, cell, first, results))
    yield from _versions(cells, results)


def _pair(place: StudyFolder, cell: Cell, first: Cell, results: dict[str, dict[str, Any]]) -> Iterator[str]:
    one, other = results[first.name], results[cell.name]
    prints = [cell_results["data"]["fingerprint"]["digest"] for cell_results in (one, other)]
    if prints[0] != prints[1]:
        yield f"other data ({_named(place, cell, first)})"
    for name in ("policy", "missing_images"):
        if one["protocol"].get(name) != other["protocol"].get(name):
            yield f"{name} {other['protocol'].get(name)} and {one['protocol'].get(name)}"
    if one["class_names"] != other["class_names"]:
        yield "other class names"


def _named(place: StudyFolder, cell: Cell, first: Cell) -> str:
    stored, now = place.run(first).read_data(), place.run(cell).read_data()
    lines = data_differences(stored, now) if stored and now else []
    return "; ".join(lines) or "what differs is not recorded"


def _versions(cells: list[Cell], results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Packages that were not the same in all cells."""
    versions = {cell.name: results[cell.name]["versions"] for cell in cells}
    for package in dict.fromkeys(name for packages in versions.values() for name in packages):
        by_version: dict[str, list[str]] = {}
        for name, packages in versions.items():
            by_version.setdefault(str(packages.get(package)), []).append(name)
        if len(by_version) > 1:
            shown = ", ".join(f"{version} in {len(names)} cells" for version, names in by_version.items())
            yield f"{package}: {shown}"
