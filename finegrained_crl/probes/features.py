"""Features of a frozen backbone: every picture once as evaluation sees it, and in some augmented views, on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finegrained_crl import files
from finegrained_crl.data.loading import Pictures, batches, keyed_loader
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.session import Session

DTYPE = np.float16
IMAGE_SETTINGS = (
    "dataset", "data", "pictures_per_class", "convert_images", "missing", "backbone", "weights", "image_size",
    "resize", "resize_ratio", "eval_resize_ratio", "crop_scale", "pad", "hflip", "rotate", "rotate_border",
    "color_jitter", "erase", "views",
)  # fmt: skip
"""Settings of a recipe that features depend on; the seed of the augmentation is 0 for all."""


def cached_features(session: Session, folder: Path, views: int, say: Callable[[str], None]) -> np.ndarray:
    """Features of every picture of the data set, computed once.

    Args:
        session: model, pictures and device.
        folder: where they are kept: features.npy and features.json, which says what they are of.
        views: augmented views of each picture; 0 uses the evaluation's for training too.
        say: told what is going on.
    Returns:
        float16, memory-mapped, (1 + views, rows of the records, feature_dim); [0] is the evaluation's view, its
        test-time views averaged.
    Raises:
        FinegrainedError: features of other data or settings are there, the disk is too small, or a feature does not fit
            half precision.
    """
    table, facts = folder / "features.npy", folder / "features.json"
    wanted = _facts(session, views)
    if table.is_file() and facts.is_file():
        stored = files.read_json(facts)
        changed = [f"{k}: {stored.get(k)} there, {wanted[k]} asked" for k in wanted if stored.get(k) != wanted[k]]
        if changed:
            raise FinegrainedError(f"{table} holds other features ({'; '.join(changed)}): choose another --out")
        return open_features(table)
    files.make_folder(folder)
    _compute(session, table, views, say)
    files.write_json(facts, wanted)
    return open_features(table)


def open_features(table: Path) -> np.ndarray:
    """The features of a file, read from the disk as they are needed."""
    return np.asanyarray(np.load(table, mmap_mode="r", allow_pickle=False))


def _facts(session: Session, views: int) -> dict[str, Any]:
    recipe = session.recipe.as_dict()
    settings = json.dumps({name: recipe[name] for name in IMAGE_SETTINGS}, sort_keys=True, default=str)
    return {
        "data": session.data.digest,
        "views": views,
        "backbone": session.recipe.backbone,
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
    }


def _compute(session: Session, table: Path, views: int, say: Callable[[str], None]) -> None:
    rows = np.arange(len(session.records.table))
    part = table.with_suffix(".part")
    shape = (1 + views, len(rows), session.trainee.model.feature_dim)
    _require_room(part.parent, shape)
    features = np.lib.format.open_memmap(part, "w+", DTYPE, shape)
    for view in range(1 + views):
        say(f"features: view {view + 1} of {1 + views}, {len(rows)} pictures")
        pictures = session.train_pictures if view else session.eval_pictures
        for start, block in _of_view(session, pictures, [(view, int(row)) for row in rows]):
            features[view, start : start + len(block)] = block
    features.flush()
    del features
    part.replace(table)


def _of_view(session: Session, pictures: Pictures, keys: list[tuple[int, int]]) -> Iterator[tuple[int, np.ndarray]]:
    trainee, start = session.trainee, 0
    trainee.eval()
    loader = keyed_loader(pictures, keys, batch_size=session.recipe.batch_size, workers=session.options.workers)
    for batch in batches(loader):
        with torch.inference_mode(), session.accelerator.autocast():
            outputs = trainee.model(session.scorer.inputs(batch.images))
        block = outputs.features.float().unflatten(0, (len(batch.labels), -1)).mean(1).cpu().numpy()
        if not np.abs(block).max(initial=0) < np.finfo(DTYPE).max:
            raise FinegrainedError(
                "a feature is no number, or too large for half precision: this backbone can't be probed"
            )
        yield start, block.astype(DTYPE)
        start += len(block)


def _require_room(folder: Path, shape: tuple[int, ...]) -> None:
    needed, free = int(np.prod(shape)) * DTYPE().itemsize, shutil.disk_usage(folder).free
    if needed > free:
        raise FinegrainedError(
            f"the features need {needed / 2**30:.1f} GiB in {folder}, {free / 2**30:.1f} GiB are free; take fewer"
            " --cached-views, or another --out"
        )
