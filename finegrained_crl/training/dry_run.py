"""`fgcrl finetune --dry-run`: build everything, run two batches, say what a run will need."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.session import Session
from finegrained_crl.training.stages import PlacedStage

BATCHES = 2


def dry_run(recipe: Recipe, options: RunOptions) -> dict[str, Any]:
    """Build a session and time a few updates; nothing stays on the disk.

    Returns:
        facts: sizes of the parts, images per class and part, parameters, memory, seconds per update, expected time.
    """
    from finegrained_crl.training.loop import Loop

    with tempfile.TemporaryDirectory(prefix="fgcrl-dry-run-") as folder:
        session = Session(recipe, RunFolder(Path(folder) / "run"), options)
        loop = Loop(session)
        loop.begin(dataclasses.replace(session.stages[-1], first=0))
        seconds, losses = _time_updates(loop)
        evaluation = _time_evaluation(loop)
    r = session.recipe
    # Earlier stages train less of the network, or read features: counting them like the last one errs on the long side.
    updates = sum(_updates_at_full_cost(placed) for placed in session.stages) * loop.stage.updates_per_epoch
    total = updates * seconds + (loop.epochs * len(session.parts.val) + len(session.parts.test)) * evaluation
    return {
        "protocol": session.records.protocol,
        "images": {"train": len(session.parts.train), "val": len(session.parts.val), "test": len(session.parts.test)},
        "classes": session.records.num_classes,
        "images_per_class": _per_class(session),
        "dropped": session.records.dropped,
        "parameters": _parameters(session.trainee),
        "weights": session.trainee.model.notes,
        "first_losses": losses,
        "device": str(session.accelerator.device),
        "precision": r.precision,
        "memory_format": r.memory_format,
        "compile": bool(r.compile),
        "threads": torch.get_num_threads(),
        "memory_mib": round(_memory(session.accelerator.device) / 2**20),
        "updates_per_epoch": loop.stage.updates_per_epoch,
        "images_per_second": round(r.batch_size * r.accumulate * session.accelerator.num_processes / seconds, 1),
        "expected_seconds": round(total),
    }


def _time_updates(loop: Any) -> tuple[float, list[float]]:
    """Seconds per update (the second one: the first warms up), and the first losses."""
    loop.stage.train_mode()
    loop.session.order.at(0, 0)
    times, losses = [], []
    for group in loop.stage.groups():
        start, before = time.perf_counter(), dict(loop.progress.sums)
        loop.update(group)
        times.append(time.perf_counter() - start)
        losses.append(_added_loss(before, loop.progress.sums))
        if len(times) == BATCHES:
            break
    return times[-1], losses


def _updates_at_full_cost(placed: PlacedStage) -> int:
    """Epochs whose updates cost as much as one through the whole network; with cached features, those that fill the
    cache.
    """
    return placed.stage.cached_views or placed.recipe.epochs


def _added_loss(before: dict[str, float], after: dict[str, float]) -> float:
    images = after["images"] - before.get("images", 0.0)
    return sum(v - before.get(k, 0.0) for k, v in after.items() if k.startswith("loss/")) / images


def _time_evaluation(loop: Any) -> float:
    """Seconds per evaluated picture."""
    rows = loop.session.parts.test[: loop.recipe.batch_size]
    start = time.perf_counter()
    loop.scores(loop.evaluated, rows)
    return (time.perf_counter() - start) / max(1, len(rows))


def _per_class(session: Session) -> dict[str, dict[str, int]]:
    labels = session.records.table["label"].to_numpy()
    parts = {"train": session.parts.train, "val": session.parts.val, "test": session.parts.test}
    counts = {
        name: np.bincount(labels[rows], minlength=session.records.num_classes)
        for name, rows in parts.items()
        if len(rows)
    }
    return {name: {part: int(c[i]) for part, c in counts.items()} for i, name in enumerate(session.records.class_names)}


def _parameters(trainee: torch.nn.Module) -> dict[str, int]:
    everything = list(trainee.parameters())
    return {
        "total": sum(p.numel() for p in everything),
        "trained": sum(p.numel() for p in everything if p.requires_grad),
    }


def _memory(device: torch.device) -> int:
    """Bytes after the updates: the GPU's own peak, or this process's resident set."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import psutil  # accelerate needs it too

    return int(psutil.Process().memory_info().rss)
