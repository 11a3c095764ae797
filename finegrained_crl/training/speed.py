"""`--precision auto --memory-format auto`: time the few sensible combinations on the real model, take the fastest."""

from __future__ import annotations

import contextlib
import copy
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from finegrained_crl.training.device import memory_format
from finegrained_crl.training.method import TrainBatch
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.trainee import Trainee

ROUNDS = 3
HOPELESS = 2.5
"""A combination whose first step takes so many times the best one's is not timed further."""


@dataclass(frozen=True)
class Timing:
    """Median seconds of a training step under one combination."""

    precision: str
    memory_format: str
    seconds: float


def choose(trainee: Trainee, recipe: Recipe, device: torch.device, num_classes: int) -> list[Timing]:
    """Time forward and backward passes of a copy of the model, combinations interleaved so that a busy machine slows
    all alike.

    Args:
        trainee: the model to train; not changed.
        recipe: "auto" in `precision` or `memory_format` means: try all that the device can do.
        device: where training will run.
        num_classes: for the labels of the random batch.
    Returns:
        timings, fastest first.
    """
    batch = random_batch(trainee, recipe, device, num_classes)
    copies = {combo: _copy(trainee, combo[1], device) for combo in combinations(recipe, device)}
    first = {combo: _step_seconds(copies[combo], combo, batch) for combo in copies}  # warm-up, and a first look
    first = {combo: _step_seconds(copies[combo], combo, batch) for combo in copies}
    limit = HOPELESS * min(first.values())
    times = {combo: [seconds] for combo, seconds in first.items()}
    for _ in range(ROUNDS - 1):
        for combo in copies:
            if first[combo] <= limit:
                times[combo].append(_step_seconds(copies[combo], combo, batch))
    return sorted((Timing(*combo, statistics.median(t)) for combo, t in times.items()), key=lambda t: t.seconds)


def combinations(recipe: Recipe, device: torch.device) -> list[tuple[str, str]]:
    """(precision, memory format) pairs that the recipe allows and the device can do."""
    precisions = _able(device) if recipe.precision == "auto" else [recipe.precision]
    formats = ["contiguous", "channels_last"] if recipe.memory_format == "auto" else [recipe.memory_format]
    return [(p, f) for p in precisions for f in formats]


def _able(device: torch.device) -> list[str]:
    """The precisions that the device can do."""
    if device.type == "cpu":
        return ["fp32", "bf16"]
    return ["fp32", "bf16", "fp16"] if torch.cuda.is_bf16_supported() else ["fp32", "fp16"]


def _copy(trainee: Trainee, layout: str, device: torch.device) -> Trainee:
    return copy.deepcopy(trainee).to(device).to(memory_format=memory_format(layout)).train()


def random_batch(trainee: Trainee, recipe: Recipe, device: torch.device, num_classes: int) -> TrainBatch:
    """A batch of noise, of the size and form that the recipe's loader gives."""
    random, side = np.random.default_rng(0), recipe.image_size
    pictures = random.integers(0, 256, (recipe.batch_size, side, side, 3), np.uint8)
    extras: dict[str, torch.Tensor] = {}
    per_image = trainee.method.per_image()
    if per_image:
        outputs = [per_image(picture, random) for picture in pictures]
        pictures = np.concatenate([views for views, _ in outputs])
        extras = {
            key: torch.from_numpy(np.stack([extra[key] for _, extra in outputs])).to(device) for key in outputs[0][1]
        }
    images = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).div(64).sub(2)
    labels = torch.arange(recipe.batch_size, device=device) % num_classes
    stages = trainee.method.stages(recipe)
    return TrainBatch(images, labels, extras, stages[-1].name)


def _step_seconds(trainee: Trainee, combo: tuple[str, str], batch: TrainBatch) -> float:
    device = batch.images.device
    batch = batch._replace(images=batch.images.contiguous(memory_format=memory_format(combo[1])))
    _wait(device)
    start = time.perf_counter()
    with _autocast(combo[0], device):
        losses, _ = trainee(batch)
    sum(losses.values(), torch.zeros((), device=device)).backward()
    _wait(device)
    trainee.zero_grad(set_to_none=True)
    return time.perf_counter() - start


@contextlib.contextmanager
def _autocast(precision: str, device: torch.device) -> Iterator[None]:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        yield


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
