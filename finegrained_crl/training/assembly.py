"""The parts of a run from its recipe: records, split, method, model and criteria, each checked where it is made."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl import discovery
from finegrained_crl.data.changes import differences
from finegrained_crl.data.excerpt import excerpt
from finegrained_crl.data.fingerprint import DataFingerprint
from finegrained_crl.data.folds import Partition, cut_validation, hold_out
from finegrained_crl.data.images import check_header
from finegrained_crl.data.leaks import cheap_leaks
from finegrained_crl.data.missing import missing_text, without_missing
from finegrained_crl.data.picture_source import is_there
from finegrained_crl.data.prepared import face_crop_of, prepared_note
from finegrained_crl.data.records import Records
from finegrained_crl.data.transforms import ImageSettings
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.crop import crop_from_dict
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.device import seed_step
from finegrained_crl.training.method import Method, ModelSpec
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.trainee import Trainee


def read_records(recipe: Recipe) -> Records:
    """The records of the recipe's data set.

    Raises:
        FinegrainedError: unknown data set, no such folder, malformed files.
    """
    data = Path(recipe.data)
    if not data.exists():
        raise FinegrainedError(
            f"--data {data.absolute()} does not exist; `fgcrl data verify {recipe.dataset.name}` says what belongs"
            " there"
        )
    source = discovery.find("data set", recipe.dataset.name, discovery.datasets())
    records: Records = source(**recipe.dataset.options).read(data)
    note = prepared_note(data)
    if note:
        records = replace(records, protocol=f"{records.protocol}, {note}", face_crop=_face_crop(data))
    if recipe.missing == "skip":
        records = without_missing(records)
    return excerpt(records, recipe.pictures_per_class) if recipe.pictures_per_class else records


def _face_crop(data: Path) -> dict[str, Any] | None:
    """How the data set's faces were cut out, checked before anything is trained; None where they were not."""
    values = face_crop_of(data)
    try:
        return None if values is None else crop_from_dict(values).as_dict()
    except FinegrainedError as error:
        raise FinegrainedError(f"{data}: PREPARED.json is damaged: {error}") from None


def make_parts(recipe: Recipe, records: Records, data: DataFingerprint) -> Partition:
    """Train, validation and test rows; validation is the data set's own part, or cut from train, never from test.

    Args:
        recipe: names the part or fold that is held out, and the share cut off for validation.
        records: the data set.
        data: its fingerprint: copies of one picture stay on one side of the cut.
    """
    parts = hold_out(records, split=recipe.split, fold=recipe.fold)
    if recipe.val_fraction == 0:
        return parts
    digests = data.require_pictures()["sha256"]
    train, val = cut_validation(records, parts.train, recipe.val_fraction, recipe.seed, digests)
    return Partition(train, val, parts.test)


def require_no_leaks(records: Records, parts: Partition, data: DataFingerprint, *, allowed: bool) -> list[str]:
    """Stop where a subject or a listed picture is in two parts of the split.

    Args:
        records: the data set.
        parts: rows of each part.
        data: its fingerprint: pictures of equal bytes are one picture.
        allowed: go on all the same.
    Returns:
        what leaks, one line each; for results.json.
    Raises:
        FinegrainedError: something leaks and is not allowed to.
    """
    leaks = [str(crossing) for crossing in cheap_leaks(records, parts, data)]
    if leaks and not allowed:
        raise FinegrainedError(
            f"the split leaks: {'; '.join(leaks)}; the score would be too good. Correct the split (`fgcrl data audit`"
            " lists all), or pass --allow-leaks, which is written into results.json"
        )
    return leaks


def changed_data(run: RunFolder, data: DataFingerprint, *, accept: bool) -> tuple[list[str], set[str]]:
    """Compare the data with what a run was begun on.

    Args:
        run: its folder, which may hold no run yet.
        data: as it is now.
        accept: go on all the same.
    Returns:
        all changes that were accepted, these and earlier ones, one line each; the digests that a checkpoint of the run
        may carry.
    Raises:
        FinegrainedError: something changed and is not accepted; what, is named.
    """
    stored = run.read_data() if run.holds_run else None
    if stored is None:
        return [], {data.digest}
    changes = differences(stored, data)
    if changes and not accept:
        raise FinegrainedError(
            f"the data changed since the run in {run.folder} began: {'; '.join(changes)}; restore the data, choose"
            " another --out, or pass --accept-changed-data, which is written into results.json"
        )
    return run.read_changes() + changes, {data.digest, stored.digest}


def make_method(recipe: Recipe) -> Method:
    """The recipe's method, its options set."""
    cls = discovery.find("method", recipe.method.name, discovery.methods())
    method: Method = cls(**recipe.method.options)
    return method


def make_trainee(recipe: Recipe, num_classes: int) -> Trainee:
    """Model and criteria, seeded.

    Raises:
        FinegrainedError: backbone, weights or loss options that don't fit.
    """
    seed_step(recipe.seed)
    method = make_method(recipe)
    spec = ModelSpec(
        recipe.backbone, num_classes, recipe.weights, recipe.drop_rate, recipe.drop_path_rate, recipe.image_size
    )
    model = method.build(spec)
    return Trainee(method, model, build_criteria(recipe.loss, method.roles(model)))


def image_settings(recipe: Recipe) -> ImageSettings:
    """The recipe's picture settings."""
    names = ImageSettings.__dataclass_fields__
    return ImageSettings(**{name: getattr(recipe, name) for name in names})


def check_images(records: Records, rows: np.ndarray, *, convert: bool) -> None:
    """Look at every file's header before training starts.

    Raises:
        FinegrainedError: files that are missing, empty or of a kind that is not read; the first is named.
    """
    paths = [records.root / p for p in records.table["path"].iloc[rows]]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        errors = [text for text in pool.map(lambda path: check_header(path, convert), paths) if text]
    if not errors:
        return
    absent = [str(path) for path in paths if not is_there(path)]
    if absent:
        raise FinegrainedError(missing_text(absent, len(paths)))
    more = f" ({len(errors) - 1} more files have problems: `fgcrl data verify` lists them all)"
    raise FinegrainedError(errors[0] + (more if len(errors) > 1 else ""))
