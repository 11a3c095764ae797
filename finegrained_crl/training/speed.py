"""`--precision auto --memory-format auto`: time the few sensible combinations on the real model, take the fastest whose
gradients are those of fp32.

A precision is worth nothing where its gradients point elsewhere: libraries have had wrong kernels for some shapes, and
a network may need more digits than bf16 has.
"""

from __future__ import annotations

import contextlib
import copy
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from finegrained_crl.training.device import memory_format, seed_step
from finegrained_crl.training.method import TrainBatch
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.trainee import Trainee

ROUNDS = 3
HOPELESS = 2.5
"""A combination whose first step takes so many times the best one's is not timed further."""


LEAST_COSINE = 0.9
"""Of the gradients of all weights on one batch and those in fp32. bf16 has .986 to 1.000 on ResNet-18 and 50, a ViT and
MobileNetV3, and .47 to .72 on EfficientNet-Lite0, whose batch-norms it suits badly; a wrong kernel has next to nothing.
"""


@dataclass(frozen=True)
class Timing:
    """Median seconds of a training step under one combination, and the cosine of its gradients and fp32's."""

    precision: str
    memory_format: str
    seconds: float
    cosine: float = 1.0

    @property
    def refused(self) -> bool:
        """Whether its gradients stray from fp32's."""
        return not self.cosine >= LEAST_COSINE  # NaN strays too

    def __str__(self) -> str:
        strays = f", refused: gradients' cosine with fp32's {self.cosine:.2f}" if self.refused else ""
        return f"{self.precision} {self.memory_format} {1000 * self.seconds:.0f} ms{strays}"


def choose(trainee: Trainee, recipe: Recipe, device: torch.device, num_classes: int) -> list[Timing]:
    """Time forward and backward passes of a copy of the model, combinations interleaved so that a busy machine slows
    all alike. One copy changes its layout from turn to turn, so that little memory is needed beyond a step's.

    Args:
        trainee: the model to train; not changed.
        recipe: "auto" in `precision` or `memory_format` means: try all that the device can do.
        device: where training will run.
        num_classes: for the labels of the random batch.
    Returns:
        timings, fastest first, those whose gradients stray last.
    """
    batch = random_batch(trainee, recipe, device, num_classes)
    model = copy.deepcopy(trainee).to(device).train()
    combos = combinations(recipe, device)
    for combo in combos:  # warm-up
        _step_seconds(model, combo, batch)
    first = {combo: _step_seconds(model, combo, batch) for combo in combos}
    limit = HOPELESS * min(first.values())
    times = {combo: [seconds] for combo, seconds in first.items()}
    for _ in range(ROUNDS - 1):
        for combo in combos:
            if first[combo] <= limit:
                times[combo].append(_step_seconds(model, combo, batch))
    cosines = _cosines(model, combos, batch) if recipe.precision == "auto" else {}
    timings = [Timing(*combo, statistics.median(t), cosines.get(combo[0], 1.0)) for combo, t in times.items()]
    return sorted(timings, key=lambda timing: (timing.refused, timing.seconds))


def _cosines(model: Trainee, combos: list[tuple[str, str]], batch: TrainBatch) -> dict[str, float]:
    """Precision -> cosine of its gradients and fp32's, on one batch and one layout."""
    layout = combos[0][1]
    whole = _gradients(model, ("fp32", layout), batch)
    precisions = dict.fromkeys(precision for precision, _ in combos)
    return {precision: _cosine(_gradients(model, (precision, layout), batch), whole) for precision in precisions}


def _cosine(ones: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    """Of two lists of tensors, each taken as one long vector."""
    products = squares = other_squares = 0.0
    for one, other in zip(ones, others, strict=True):
        a, b = one.double(), other.double()
        products += float((a * b).sum())
        squares += float(a.square().sum())
        other_squares += float(b.square().sum())
    norms = math.sqrt(squares * other_squares)
    return products / norms if norms else 0.0


def _gradients(model: Trainee, combo: tuple[str, str], batch: TrainBatch) -> list[torch.Tensor]:
    """The gradients of all weights, from the same random state for all combinations."""
    seed_step(0)
    model.to(memory_format=memory_format(combo[1]))
    _backward(model, combo, batch)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad(set_to_none=True)
    return gradients


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


def _step_seconds(model: Trainee, combo: tuple[str, str], batch: TrainBatch) -> float:
    device = batch.images.device
    model.to(memory_format=memory_format(combo[1]))
    batch = batch._replace(images=batch.images.contiguous(memory_format=memory_format(combo[1])))
    _wait(device)
    start = time.perf_counter()
    _backward(model, combo, batch)
    _wait(device)
    model.zero_grad(set_to_none=True)
    return time.perf_counter() - start


def _backward(model: Trainee, combo: tuple[str, str], batch: TrainBatch) -> None:
    device = batch.images.device
    images = batch.images.contiguous(memory_format=memory_format(combo[1]))
    with _autocast(combo[0], device):
        losses, _ = model(batch._replace(images=images))
    sum(losses.values(), torch.zeros((), device=device)).backward()


@contextlib.contextmanager
def _autocast(precision: str, device: torch.device) -> Iterator[None]:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        yield


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
