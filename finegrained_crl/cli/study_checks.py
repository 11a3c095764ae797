"""What a study's data must be before its first cell starts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from finegrained_crl.cli.foresight import count_people
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Component, Recipe

if TYPE_CHECKING:
    from finegrained_crl.data.fingerprint import DataFingerprint


def check_data(folder: StudyFolder, study: Study, *, accept_changes: bool) -> int:
    """What would fail in every cell is said once, before any starts.

    Missing images, leaking folds, no validation part to choose on, losses that refuse options, data that is not what
    finished cells were trained on.

    Args:
        folder: of the study, begun or not.
        study: its plan.
        accept_changes: go on with data that changed since cells were trained.
    Returns:
        people (pictures, where none are known) that all folds together hold out, of the first variant's data.
    """
    from finegrained_crl.data.fingerprint import fingerprint
    from finegrained_crl.training.assembly import check_images, make_parts, read_records, require_no_leaks
    from finegrained_crl.training.criteria import build_criteria, without_where
    from finegrained_crl.training.method import Role

    seen, held_out = set(), []
    for recipe in study.variants.values():
        build_criteria(Component(recipe.loss.name, without_where(recipe.loss)), {"class": Role(8, 8)})
        key = _data_key(recipe)
        if key in seen:
            continue
        seen.add(key)
        records = read_records(recipe)
        for warning in records.warnings:
            print(f"note: {warning}", file=sys.stderr)
        data = fingerprint(records)
        if not accept_changes:
            _require_same_data(folder, study, key, data)
        for fold in study.folds:
            parts = make_parts(recipe.replace(fold=fold, seed=study.seeds[0]), records, data)
            require_no_leaks(records, parts, data, allowed=recipe.allow_leaks)
            if study.select and not len(parts.val):
                raise FinegrainedError("--select val needs a validation part: pass --val-fraction, e.g. 0.1")
            held_out.append(count_people(records, parts.test) if len(seen) == 1 else 0)
        check_images(records, records.table.index.to_numpy(), convert=recipe.convert_images)
    return sum(held_out)


def _data_key(recipe: Recipe) -> str:
    return str((recipe.dataset, recipe.data, recipe.split, recipe.val_fraction, recipe.missing))


def _require_same_data(folder: StudyFolder, study: Study, key: str, data: DataFingerprint) -> None:
    """Compare the data with what each cell that has begun was trained on."""
    from finegrained_crl.data.changes import differences

    for cell in study.cells:
        run = folder.run(cell)
        stored = run.read_data() if _data_key(cell.recipe.replace(fold=None)) == key and run.holds_run else None
        changes = differences(stored, data) if stored else []
        if changes:
            raise FinegrainedError(
                f"the data changed since {cell.name} was trained: {'; '.join(changes)}; restore the data, begin a new"
                " study with another --out, or pass --accept-changed-data, which is written into results.json and the"
                " report"
            )
