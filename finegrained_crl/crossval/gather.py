"""Several studies, or single runs, read as one study: what a page puts side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from finegrained_crl.crossval.collect import Collected, collect, read_predictions
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe, recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder


@dataclass(frozen=True)
class Gathered:
    """What was read.

    Attributes:
        title: the folders' names.
        collected: as one study.
        runs: cell -> its run folder.
    """

    title: str
    collected: Collected
    runs: dict[str, Path]

    @property
    def by_variant(self) -> dict[str, list[Path]]:
        """Variant -> its finished run folders."""
        table: dict[str, list[Path]] = {}
        for cell in self.collected.done:
            table.setdefault(cell.variant, []).append(self.runs[cell.name])
        return table


def gather(folders: list[Path], *, accept_differences: bool = False) -> Gathered:
    """Read studies and runs.

    Args:
        folders: studies or finished runs, at least one.
        accept_differences: see `collect`.
    Raises:
        FinegrainedError: a folder that is neither, or parts with different classes or held-out pictures.
    """
    parts = [_read(folder, accept_differences) for folder in folders]
    if len(parts) == 1:
        return parts[0]
    _require_comparable(parts)
    variants: dict[str, Recipe] = {}
    cells, results, predictions, runs, accepted = [], {}, {}, {}, []
    for part, label in zip(parts, _labels(folders), strict=True):
        renamed = {cell.name: replace(cell, variant=_joined(cell.variant, label)) for cell in part.collected.done}
        for old, cell in renamed.items():
            variants.setdefault(cell.variant, cell.recipe)
            results[cell.name] = part.collected.results[old]
            predictions[cell.name] = part.collected.predictions[old]
            runs[cell.name] = part.runs[old]
            cells.append(_row(cell))
        accepted += part.collected.accepted
    folds = list(dict.fromkeys(fold for part in parts for fold in part.collected.study.folds))
    seeds = sorted({seed for part in parts for seed in part.collected.study.seeds})
    study = Study(variants, folds, seeds, 1)
    collected = Collected(study, pd.DataFrame(cells), results, predictions, accepted)
    return Gathered(" and ".join(part.title for part in parts), collected, runs)


def _read(folder: Path, accept_differences: bool) -> Gathered:
    place = StudyFolder(folder)
    if place.exists:
        collected = collect(folder, accept_differences=accept_differences)
        return Gathered(folder.name, collected, {cell.name: place.run(cell).folder for cell in collected.done})
    run = RunFolder(folder)
    if not run.holds_run:
        raise FinegrainedError(f"{folder} holds neither a study (study.yaml) nor a run (recipe.yaml)")
    results, recipe = run.read_results(), recipe_from_dict(run.read_recipe())
    cell = Cell(recipe.loss.name, recipe.fold, recipe.seed, recipe)
    study = Study({cell.variant: recipe}, [cell.fold], [cell.seed], 1)
    predictions = {cell.name: read_predictions(run.checked(run.predictions))}
    collected = Collected(study, pd.DataFrame([_row(cell)]), {cell.name: results}, predictions)
    return Gathered(folder.name, collected, {cell.name: folder})


def _labels(folders: list[Path]) -> list[str]:
    names = [folder.name for folder in folders]
    return [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]


def _joined(variant: str, label: str) -> str:
    """A variant's name with where it comes from; one word, so that it is read as no setting."""
    return f"{variant} of={label.replace(' ', '_')}"


def _row(cell: Cell) -> dict[str, Any]:
    where = {"cell": cell.name, "variant": cell.variant, "fold": cell.fold, "seed": cell.seed}
    return {**where, "state": "done", "reason": ""}


def _require_comparable(parts: list[Gathered]) -> None:
    first = parts[0].collected
    for part in parts[1:]:
        classes = [next(iter(one.results.values()))["class_names"] for one in (first, part.collected)]
        if classes[0] != classes[1]:
            raise FinegrainedError(f"{parts[0].title} and {part.title} have different classes: report each alone")
        earlier, later = (_held_out(one) for one in (first, part.collected))
        shared = [fold for fold in earlier if fold in later]
        if any(earlier[fold] != later[fold] for fold in shared):
            raise FinegrainedError(
                f"{parts[0].title} and {part.title} were evaluated on different pictures: report each alone"
            )


def _held_out(collected: Collected) -> dict[Any, set[str]]:
    """Fold -> ids of its held-out pictures."""
    table = {}
    for cell in collected.done:
        frame = collected.predictions[cell.name]
        table[cell.fold] = set(frame.loc[frame["part"] == "test", "id"])
    return table
