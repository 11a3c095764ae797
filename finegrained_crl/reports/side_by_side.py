"""Finished runs side by side: every figure with its interval, and the settings that differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finegrained_crl.crossval.gather import gather
from finegrained_crl.metrics.catalogue import Figure, figures_for, order_of
from finegrained_crl.reports.parts import read_parts, runs_of
from finegrained_crl.reports.tables import Sheet
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.training.run_folder import RunFolder

READING = (
    "95 % intervals over pictures or people; chance in training is not in them."
    " Whether one run is better: fgcrl report."
)
NOT_SHOWN = ("data",)
"""Where the pictures lie says nothing of the run."""


def side_by_side(folders: list[Path]) -> dict[str, Any]:
    """What the runs reached, and in which settings they differ.

    Args:
        folders: of finished runs or evaluations.
    Returns:
        `figures`: rows of run, figure, value, low, high (None where it can't be had), images; `settings`: setting ->
        value per run, of those that differ; `notes`: what forbids a comparison.
    Raises:
        FinegrainedError: no finished run.
    """
    names = run_names(folders)
    results = {name: RunFolder(folder).read_results() for name, folder in zip(names, folders, strict=True)}
    rows = [row for name, folder in zip(names, folders, strict=True) for row in _figures(name, folder)]
    recipes = {name: _flat(RunFolder(folder).read_recipe()) for name, folder in zip(names, folders, strict=True)}
    pictures = {_pictures(folder) for folder in folders}
    return {"figures": rows, "settings": _differing(recipes), "notes": _notes(results, pictures)}


def run_names(folders: list[Path]) -> list[str]:
    """The folders' own names; with the way to them where two are called alike."""
    short = [folder.name for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]


def _figures(name: str, folder: Path) -> list[dict[str, Any]]:
    collected = gather([folder]).collected
    results = next(iter(collected.results.values()))
    parts = [part for part in read_parts(collected, None) if part.which == results["headline"]]
    chosen = figures_for(len(results["class_names"]), **order_of(results["data"]))
    rows = []
    for figure in chosen:
        runs = runs_of(parts, figure)
        if runs:
            one = estimate(runs, figure.statistic, scale=figure.scale)
            ends = [None if end != end else end for end in (one.value, one.low, one.high)]
            told = dict(zip(("value", "low", "high"), ends, strict=True))
            rows.append({"run": name, "figure": figure.name, **told, "images": results["protocol"]["denominator"]})
    return rows


def _flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Settings by the names of their flags: `loss.alpha`."""
    flat: dict[str, Any] = {}
    for key, value in recipe.items():
        inner = value if isinstance(value, dict) else {"": value}
        flat |= {f"{key}.{option}".rstrip("."): setting for option, setting in inner.items()}
    return flat


def _differing(recipes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    settings = dict.fromkeys(setting for recipe in recipes.values() for setting in recipe)
    by_setting = {setting: {run: recipe.get(setting, "-") for run, recipe in recipes.items()} for setting in settings}
    return {
        setting: values
        for setting, values in by_setting.items()
        if setting not in NOT_SHOWN and len(set(map(str, values.values()))) > 1
    }


def _pictures(folder: Path) -> frozenset[tuple[str, int]]:
    """The pictures that a run was evaluated on, and their labels."""
    frame = next(iter(gather([folder]).collected.predictions.values()))
    test = frame[frame["part"] == "test"]
    return frozenset(zip(test["id"].astype(str), test["label"].astype(int), strict=True))


def _notes(results: dict[str, dict[str, Any]], pictures: set[frozenset[tuple[str, int]]]) -> list[str]:
    prints = {one["data"]["fingerprint"]["digest"] for one in results.values()}
    notes = []
    if len(pictures) > 1 or len(prints) > 1:
        notes.append("these runs were not evaluated on the same pictures: their figures can't be compared")
    if len({one["headline"] for one in results.values()}) > 1:
        notes.append("some headlines are of the last weights and some of those selected on validation")
    return notes


def figure_sheet(told: dict[str, Any], figures: list[Figure]) -> Sheet:
    """The figures: a row each, a column per run."""
    names = list(dict.fromkeys(row["run"] for row in told["figures"]))
    by_place = {(row["figure"], row["run"]): row for row in told["figures"]}
    images = {row["run"]: row["images"] for row in told["figures"]}
    rows = [["images", *(str(images[name]) for name in names)]]
    for figure in figures:
        if any((figure.name, name) in by_place for name in names):
            rows.append([figure.title, *(_shown(figure, by_place.get((figure.name, name))) for name in names)])
    return Sheet("figures", "Figures", ["figure", *names], rows, READING)


def _shown(figure: Figure, row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "-"
    if row["low"] is None:
        return figure.show(row["value"])
    return f"{figure.show(row['value'])} [{figure.show(row['low'])}, {figure.show(row['high'])}]"
