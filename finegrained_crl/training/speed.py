"""`auto` in precision, memory format, compile and threads: time the few sensible ways of computing a step on the real
model, take the one that ends the run first and whose gradients are those of fp32.

A precision, or a compiled kernel, is worth nothing where its gradients point elsewhere: libraries have had wrong
kernels for some shapes, and a network may need more digits than bf16 has.

Not all ways are crossed: precision and layout are tried together, thread counts with the best of these, and
compilation, which takes a minute by itself, with the best of those.
"""

from __future__ import annotations

import contextlib
import copy
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from finegrained_crl.training.compilation import compile_network
from finegrained_crl.training.method import TrainBatch
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_options import Threads
from finegrained_crl.training.timing import Setting, Timing, gradients, random_batch, score, step_seconds
from finegrained_crl.training.trainee import Trainee

ROUNDS = 3
HOPELESS = 2.5
"""A setting whose first step takes so many times the best one's is not timed further."""


def choose(
    trainee: Trainee, recipe: Recipe, device: torch.device, num_classes: int, *, threads: Threads = 0
) -> list[Timing]:
    """Time forward and backward passes of a copy of the model, settings interleaved so that a busy machine slows all
    alike. One copy changes its layout from turn to turn, so that little memory is needed beyond a step's.

    Args:
        trainee: the model to train; not changed.
        recipe: "auto" in `precision`, `memory_format` or `compile` means: try all that the device can do.
        device: where training will run.
        num_classes: for the labels of the random batch.
        threads: "auto": try thread counts, on a CPU.
    Returns:
        timings, fastest step first, those that are refused last.
    """
    trial = _Trial(trainee, random_batch(trainee, recipe, device, num_classes), device)
    trial.time(combinations(recipe, device))
    if recipe.precision == "auto":
        trial.compare_precisions()
    if threads == "auto" and device.type == "cpu":
        trial.time([trial.best().setting, *thread_counts(trial.best().setting)])
    if recipe.compile == "auto":
        trial.compile()
    return sorted(trial.timings(), key=lambda timing: (timing.refused, timing.seconds))


def fastest(timings: list[Timing], steps: int) -> Timing:
    """The one with which a run of so many steps ends first, compilation included, of those that are not refused."""
    return min(timings, key=lambda timing: (timing.refused, timing.of_run(steps)))


def combinations(recipe: Recipe, device: torch.device) -> list[Setting]:
    """Precisions and memory formats that the recipe allows and the device can do."""
    precisions = _able(device) if recipe.precision == "auto" else [recipe.precision]
    formats = ["contiguous", "channels_last"] if recipe.memory_format == "auto" else [recipe.memory_format]
    return [Setting(p, f) for p in precisions for f in formats]


def thread_counts(setting: Setting) -> list[Setting]:
    """The same with half, a quarter .. of the threads that torch takes by itself: small batches and machines that do
    other work too are faster with fewer.
    """
    halves, threads = [], torch.get_num_threads() // 2
    while threads:
        halves.append(replace(setting, threads=threads))
        threads //= 2
    return halves


def _able(device: torch.device) -> list[str]:
    """The precisions that the device can do."""
    if device.type == "cpu":
        return ["fp32", "bf16"]
    return ["fp32", "bf16", "fp16"] if torch.cuda.is_bf16_supported() else ["fp32", "fp16"]


class _Trial:
    """A copy of the model, and what was measured with it."""

    def __init__(self, trainee: Trainee, batch: TrainBatch, device: torch.device) -> None:
        self.model, self.batch = copy.deepcopy(trainee).to(device).train(), batch
        self.seconds: dict[Setting, list[float]] = {}
        self.cosines: dict[str, float] = {}
        self.compiled: list[Timing] = []

    def time(self, settings: list[Setting]) -> None:
        """A step of each in turn, after one to warm up."""
        for setting in settings:
            step_seconds(self.model, setting, self.batch)
        first = {setting: step_seconds(self.model, setting, self.batch) for setting in settings}
        for setting, seconds in first.items():
            self.seconds.setdefault(setting, []).append(seconds)
        limit = HOPELESS * min(first.values())
        for _ in range(ROUNDS - 1):
            for setting in settings:
                if first[setting] <= limit:
                    self.seconds[setting].append(step_seconds(self.model, setting, self.batch))

    def compare_precisions(self) -> None:
        """Gradients of each precision with fp32's, on one batch and one layout."""
        layout = next(iter(self.seconds)).memory_format
        whole = gradients(self.model, Setting("fp32", layout), self.batch)
        for precision in dict.fromkeys(setting.precision for setting in self.seconds):
            self.cosines[precision] = _cosine(gradients(self.model, Setting(precision, layout), self.batch), whole)

    def compile(self) -> None:
        """The best setting so far, compiled; a machine without a compiler goes on without."""
        setting = replace(self.best().setting, compile=True)
        exact = replace(setting, precision="fp32", compile=False)
        whole = gradients(self.model, exact, self.batch)
        others = gradients(self.model, exact, self.batch, seed=1)
        is_random = not all(map(torch.equal, whole, others))
        with _the_same_chance() if is_random else contextlib.nullcontext():
            try:
                self.compiled.append(self._compiled(setting, whole))
            except Exception as error:  # a compiler is a program of the machine: whatever it does, training can go on
                reason = next(iter(str(error).strip().splitlines()), "")
                self.compiled.append(Timing(setting, 0.0, failure=f"{type(error).__name__}: {reason}"))

    def _compiled(self, setting: Setting, whole: list[torch.Tensor]) -> Timing:
        model = copy.deepcopy(self.model)
        compile_network(model.model, graphs=False)
        start = time.perf_counter()
        cosine = _cosine(gradients(model, setting, self.batch), whole)
        score(model, setting, self.batch)
        compile_seconds = time.perf_counter() - start
        eager = replace(setting, compile=False)
        times = []
        for _ in range(ROUNDS):
            self.seconds[eager].append(step_seconds(self.model, eager, self.batch))
            times.append(step_seconds(model, setting, self.batch))
        return Timing(setting, statistics.median(times), cosine, compile_seconds)

    def timings(self) -> list[Timing]:
        """What was measured so far."""
        plain = [
            Timing(setting, statistics.median(seconds), self.cosines.get(setting.precision, 1.0))
            for setting, seconds in self.seconds.items()
        ]
        return [*plain, *self.compiled]

    def best(self) -> Timing:
        """The fastest so far that is not refused."""
        return fastest(self.timings(), steps=1)


@contextlib.contextmanager
def _the_same_chance() -> Iterator[None]:
    """Compiled code draws dropout from PyTorch's generator as uncompiled code does, so that gradients compare."""
    import torch._inductor.config as inductor

    with inductor.patch(fallback_random=True):
        yield


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
