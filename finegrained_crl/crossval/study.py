"""The folder of a study: its plan, and one run folder per cell.

study.yaml        format, variants (each a complete recipe), folds, seeds, threads per cell
sittings.json     command, machine and source of each launcher
cells/NAME/       run folder of a cell (see `training/run_folder.py`)
recipes/NAME.yaml what the cell was started with
logs/NAME.log     what it said
claims/           who runs which cell (see `leases.py`), and the heartbeats of the workers
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from finegrained_crl import __version__, files
from finegrained_crl.crossval.origin import Origin, origin_from_dict
from finegrained_crl.crossval.plan import Cell, cell_name, make_cells
from finegrained_crl.data.structured import read_yaml
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe, recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder, differences

FORMAT = 2
"""Number of the layout of study.yaml; a reader refuses any other."""


@dataclass(frozen=True)
class Study:
    """What a study compares.

    Attributes:
        variants: name -> recipe (its fold and seed mean nothing).
        folds: folds held out in turn; [None] for a data set without folds.
        seeds: each variant and fold runs once per seed.
        threads: CPU threads of a cell. Fixed when the study begins: sums in another order would not be the same bits.
        select: settings of the grid whose value each variant chooses on the validation part of its fold.
        origin: the study file that it was made from.
    """

    variants: dict[str, Recipe]
    folds: list[int | None]
    seeds: list[int]
    threads: int
    select: tuple[str, ...] = ()
    origin: Origin | None = None

    @cached_property
    def cells(self) -> list[Cell]:
        """Every run."""
        return make_cells(self.variants, self.folds, self.seeds)

    @property
    def cell_names(self) -> list[str]:
        """Of every run, in the order of `cells`, whose recipes are not made for it."""
        order = itertools.product(self.seeds, self.folds, self.variants)
        return [cell_name(variant, fold, seed) for seed, fold, variant in order]

    def as_dict(self) -> dict[str, Any]:
        """What study.yaml holds."""
        values = {
            "format": FORMAT,
            "written_by": __version__,
            "folds": self.folds,
            "seeds": self.seeds,
            "threads": self.threads,
            **({"select": list(self.select)} if self.select else {}),
            **({"origin": self.origin.as_dict()} if self.origin else {}),
            "variants": {name: _without_axes(recipe) for name, recipe in self.variants.items()},
        }
        return {"digest": _digest(values), **values}


class StudyFolder:
    """Paths and state of one study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = folder / "study.yaml"

    def run(self, cell: Cell) -> RunFolder:
        """The cell's run folder."""
        return RunFolder(self.folder / "cells" / cell.name)

    def recipe(self, cell: Cell) -> Path:
        """The recipe that the cell is started with."""
        return self.folder / "recipes" / f"{cell.name}.yaml"

    def log(self, cell: Cell) -> Path:
        """What the cell said when it last ran."""
        return self.folder / "logs" / f"{cell.name}.log"

    @property
    def exists(self) -> bool:
        """Whether a study was begun here."""
        return self.plan.is_file()

    def read(self) -> Study:
        """The study's plan.

        Raises:
            FinegrainedError: no study here, a damaged plan, or one that another version wrote.
        """
        if not self.exists:
            raise FinegrainedError(
                f"{self.folder.absolute()} holds no study (no study.yaml): give the folder named by --out of fgcrl"
                " crossval"
            )
        values = read_yaml(self.plan, "the plan of a study")
        if values.get("format") != FORMAT:
            raise FinegrainedError(
                f"{self.plan} has format {values.get('format')}, written by finegrained-crl"
                f" {values.get('written_by', '?')}; this version ({__version__}) reads {FORMAT}: use that version, or"
                " begin a new study with another --out"
            )
        if values.get("digest") != _digest(values):
            raise FinegrainedError(
                f"{self.plan} is damaged, cut off or was changed by hand (its digest does not fit): restore it, or"
                " begin a new study with another --out"
            )
        try:
            variants = {name: recipe_from_dict(recipe) for name, recipe in values["variants"].items()}
            select = tuple(map(str, values.get("select", [])))
            axes = list(values["folds"]), list(values["seeds"]), int(values["threads"])
            return Study(variants, *axes, select, origin_from_dict(values.get("origin")))
        except (KeyError, TypeError, AttributeError) as error:
            raise FinegrainedError(
                f"{self.plan} is damaged ({type(error).__name__}: {error}); begin a new study with another --out"
            ) from None

    def check(self, study: Study) -> None:
        """Check that this study may begin, or go on, here. New variants, folds and seeds may join; nothing may change
        or leave.

        Raises:
            FinegrainedError: another study, or files of something else; the differences are shown.
        """
        # Before the plan is looked for: another launcher may be writing it, and the rest comes after it.
        is_taken = self.folder.is_dir() and any(_is_foreign(path.name) for path in self.folder.iterdir())
        if not self.exists:
            if is_taken:
                raise FinegrainedError(f"{self.folder} is not empty and holds no study: choose another --out")
            return
        changed = study_differences(self.read(), study)
        if changed:
            raise FinegrainedError(
                f"{self.folder} holds a study with another plan ({'; '.join(changed)}): choose another --out"
            )

    def write(self, study: Study) -> Study:
        """Keep the plan, and the recipe of each cell; a study that goes on keeps its number of threads.

        Returns:
            the study as it runs.
        """
        self.check(study)
        if self.exists:
            study = replace(study, threads=self.read().threads)
        files.write_text(self.plan, yaml.safe_dump(study.as_dict(), sort_keys=False))
        self._write_recipes(study)
        return study

    def _write_recipes(self, study: Study) -> None:
        """Keep the recipe of each cell; one that a power cut emptied is written again when the study goes on."""
        texts = {name: yaml.safe_dump(recipe.as_dict(), sort_keys=False) for name, recipe in study.variants.items()}
        for cell in study.cells:
            text, path = _with_axes(texts[cell.variant], cell), self.recipe(cell)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                files.write_text(path, text, durable=False)


def _with_axes(text: str, cell: Cell) -> str:
    """A variant's recipe file with the cell's fold and seed: a tenth of the time of writing YAML anew."""
    for key, value in (("fold", "null" if cell.fold is None else cell.fold), ("seed", cell.seed)):
        text = re.sub(rf"^{key}: .*$", f"{key}: {value}", text, count=1, flags=re.MULTILINE)
    return text


def _is_foreign(name: str) -> bool:
    """Whether a file can't be what a launcher left that ended before it wrote a plan."""
    return not name.startswith(".") and name != "claims"


def study_differences(stored: Study, asked: Study) -> list[str]:
    """What a new plan would change or leave out of a stored one, one text per setting."""
    gone = [f"variant '{name}' is there, not asked" for name in stored.variants if name not in asked.variants]
    gone += [f"fold {fold} is there, not asked" for fold in stored.folds if fold not in asked.folds]
    gone += [f"seed {seed} is there, not asked" for seed in stored.seeds if seed not in asked.seeds]
    if stored.select != asked.select:
        words = [" ".join(study.select) or "nothing" for study in (stored, asked)]
        gone.append(f"chosen on validation: {words[0]} is there, {words[1]} asked")
    changed: dict[str, list[str]] = {}
    for name in stored.variants.keys() & asked.variants.keys():
        for text in differences(_without_axes(stored.variants[name]), _without_axes(asked.variants[name])):
            changed.setdefault(text, []).append(name)
    everywhere = len(stored.variants.keys() & asked.variants.keys())
    texts = [
        text if len(names) == everywhere else f"{text} ({', '.join(sorted(names))})" for text, names in changed.items()
    ]
    return sorted(texts) + gone


def _digest(values: dict[str, Any]) -> str:
    """Of everything in a plan: a file that was cut off is whole YAML with fewer variants."""
    plan = {key: value for key, value in values.items() if key != "digest"}
    return hashlib.sha256(json.dumps(plan, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _without_axes(recipe: Recipe) -> dict[str, Any]:
    return recipe.replace(fold=None, seed=0).as_dict()
