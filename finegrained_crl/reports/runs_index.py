"""What a folder of experiments holds: a row per run and study, and an index that links their reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.catalogue import order_of, primary_figure
from finegrained_crl.training.recipe import recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder


@dataclass(frozen=True)
class Entry:
    """One run or study.

    Attributes:
        folder: relative to where was looked.
        kind: "run", "evaluation" (of a run on other data) or "study".
        state: "done", "unfinished", "3 of 30 cells", or what is wrong with it.
        data: data set.
        method: of it.
        loss: or losses.
        score: primary figure, as a share; None where there is none yet. Of a study: the best finished cell's is no
            result, so none.
        low: of its 95 % interval over pictures or people; None where there is none.
        high: its upper end.
        date: when it was last written, ISO, UTC.
        report: its report.html, relative; "" where there is none.
    """

    folder: str
    kind: str
    state: str
    data: str
    method: str
    loss: str
    score: float | None
    low: float | None
    high: float | None
    date: str
    report: str


COLUMNS = tuple(Entry.__dataclass_fields__)


def list_entries(root: Path) -> list[Entry]:
    """All runs and studies below a folder; cells of a study stand for themselves in their study.

    Raises:
        FinegrainedError: no such folder.
    """
    if not root.is_dir():
        raise FinegrainedError(f"{root} is no folder: give the folder that holds runs and studies")
    return [_entry(root, folder) for folder in _homes(root)]


def _homes(root: Path) -> Iterator[Path]:
    """Folders with a study.yaml or a recipe.yaml, nothing below them."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "study.yaml" in names or "recipe.yaml" in names:
            folders[:] = []
            yield Path(place)


def _entry(root: Path, folder: Path) -> Entry:
    is_study = StudyFolder(folder).exists
    told = {"kind": "study" if is_study else "run", "date": _date(folder), "report": _report(root, folder)}
    blank: dict[str, Any] = {"data": "", "method": "", "loss": "", "score": None, "low": None, "high": None}
    try:
        facts = _study(folder) if is_study else _run(folder)
    except FinegrainedError as error:
        facts = {"state": str(error).partition(":")[0]}
    return Entry(folder=str(folder.relative_to(root)), **{**told, **blank, **facts})


def _study(folder: Path) -> dict[str, Any]:
    place = StudyFolder(folder)
    study = place.read()
    done = sum(place.run(cell).is_done for cell in study.cells)
    recipes = list(study.variants.values())
    return {
        "state": "done" if done == len(study.cells) else f"{done} of {len(study.cells)} cells",
        "data": recipes[0].dataset.name,
        "method": ", ".join(dict.fromkeys(recipe.method.name for recipe in recipes)),
        "loss": ", ".join(dict.fromkeys(recipe.loss.name for recipe in recipes)),
    }


def _run(folder: Path) -> dict[str, Any]:
    run = RunFolder(folder)
    recipe = recipe_from_dict(run.read_recipe())
    facts = {"data": recipe.dataset.name, "method": recipe.method.name, "loss": recipe.loss.name}
    if not run.is_done:
        return {**facts, "state": "unfinished"}
    from finegrained_crl.crossval.gather import gather
    from finegrained_crl.reports.parts import read_parts, runs_of
    from finegrained_crl.statistics.estimate import estimate

    collected = gather([folder]).collected
    results = next(iter(collected.results.values()))
    figure = primary_figure(**order_of(results["data"]))
    parts = [part for part in read_parts(collected, None) if part.which == results["headline"]]
    runs = runs_of(parts, figure)
    one = estimate(runs or [], figure.statistic, scale=figure.scale)
    ends = {name: None if value != value else value for name, value in (("low", one.low), ("high", one.high))}
    kind = "evaluation" if "evaluation" in results else "run"
    return {**facts, "kind": kind, "state": "done", "score": one.value, **ends}


def _date(folder: Path) -> str:
    newest = max(path.stat().st_mtime for path in folder.iterdir())
    return datetime.fromtimestamp(newest, tz=UTC).strftime("%Y-%m-%d %H:%M")


def _report(root: Path, folder: Path) -> str:
    page = folder / "report.html"
    return str(page.relative_to(root)) if page.is_file() else ""


def chosen(entries: list[Entry], words: list[str], sort: str) -> list[Entry]:
    """Entries that hold all words somewhere, sorted.

    Args:
        entries: all.
        words: any part of any column, in any case.
        sort: a column; scores the best first, dates the newest first.
    """
    kept = [entry for entry in entries if all(word.lower() in " ".join(_texts(entry)).lower() for word in words)]
    if sort == "score":
        return sorted(kept, key=lambda entry: -(entry.score if entry.score is not None else -1.0))
    return sorted(kept, key=lambda entry: str(getattr(entry, sort)), reverse=sort == "date")


def _texts(entry: Entry) -> list[str]:
    return [str(value) for value in vars(entry).values()]
