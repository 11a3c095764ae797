"""One training step on the clock: a copy of the network, one random batch, one way of computing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from finegrained_crl.training.device import memory_format, seed_step
from finegrained_crl.training.method import TrainBatch
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.trainee import Trainee

LEAST_COSINE = 0.9
"""Of the gradients of all weights on one batch and those in fp32. bf16 has .986 to 1.000 on ResNet-18 and 50, a ViT and
MobileNetV3, and .47 to .72 on EfficientNet-Lite0, whose batch-norms it suits badly; a wrong kernel has next to nothing.
"""


@dataclass(frozen=True)
class Setting:
    """A way of computing a step.

    Attributes:
        precision: "fp32", "bf16" or "fp16".
        memory_format: "contiguous" or "channels_last".
        threads: of the CPU; 0: as many as torch takes by itself.
        compile: with `torch.compile`.
    """

    precision: str
    memory_format: str
    threads: int = 0
    compile: bool = False

    def __str__(self) -> str:
        threads = f", {self.threads} threads" if self.threads else ""
        return f"{self.precision}, {self.memory_format}{threads}{', compiled' if self.compile else ''}"


@dataclass(frozen=True)
class Timing:
    """What a setting costs and is worth.

    Attributes:
        setting: what was timed.
        seconds: of a step, the median.
        cosine: of its gradients and those of fp32.
        compile_seconds: until the network is compiled, for training and for evaluation.
        failure: why it can't be had on this machine.
    """

    setting: Setting
    seconds: float
    cosine: float = 1.0
    compile_seconds: float = 0.0
    failure: str = ""

    @property
    def refused(self) -> bool:
        """Whether it can't be had, or its gradients stray from fp32's."""
        return bool(self.failure) or not self.cosine >= LEAST_COSINE  # NaN strays too

    def of_run(self, steps: int) -> float:
        """Seconds of a run of so many steps."""
        return self.compile_seconds + steps * self.seconds

    def __str__(self) -> str:
        if self.failure:
            return f"{self.setting} not possible here: {self.failure}"
        compiling = f" and {self.compile_seconds:.0f} s to compile" if self.setting.compile else ""
        strays = f", refused: gradients' cosine with fp32's {self.cosine:.2f}" if self.refused else ""
        return f"{self.setting} {1000 * self.seconds:.0f} ms{compiling}{strays}"


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


def step_seconds(model: Trainee, setting: Setting, batch: TrainBatch) -> float:
    """Seconds of one forward and backward pass."""
    device = batch.images.device
    model.to(memory_format=memory_format(setting.memory_format))
    batch = batch._replace(images=batch.images.contiguous(memory_format=memory_format(setting.memory_format)))
    _wait(device)
    start = time.perf_counter()
    backward(model, setting, batch)
    _wait(device)
    seconds = time.perf_counter() - start
    model.zero_grad(set_to_none=True)
    return seconds


def gradients(model: Trainee, setting: Setting, batch: TrainBatch, seed: int = 0) -> list[torch.Tensor]:
    """The gradients of all weights, from the same random state for all settings."""
    seed_step(seed)
    model.to(memory_format=memory_format(setting.memory_format))
    backward(model, setting, batch)
    of_weights = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad(set_to_none=True)
    return of_weights


def backward(model: Trainee, setting: Setting, batch: TrainBatch) -> None:
    """Forward and backward pass; gradients are left in the model."""
    device = batch.images.device
    images = batch.images.contiguous(memory_format=memory_format(setting.memory_format))
    with with_threads(setting.threads):
        with _autocast(setting.precision, device):
            losses, _ = model(batch._replace(images=images))
        sum(losses.values(), torch.zeros((), device=device)).backward()


def score(model: Trainee, setting: Setting, batch: TrainBatch) -> None:
    """A pass as evaluation makes it, for which a compiled network is compiled once more."""
    model.eval()
    images = batch.images.contiguous(memory_format=memory_format(setting.memory_format))
    with torch.inference_mode(), with_threads(setting.threads), _autocast(setting.precision, batch.images.device):
        model.scores(images)
    model.train()


@contextlib.contextmanager
def with_threads(threads: int) -> Iterator[None]:
    """So many CPU threads inside; 0: as many as there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _autocast(precision: str, device: torch.device) -> Iterator[None]:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        yield


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
