"""Time and memory of each loss, forward + backward, against `F.cross_entropy`.

    python tools/benchmark.py losses                                     # key losses, all sizes but the largest, about
    a minute python tools/benchmark.py losses --losses all --sizes 256x1000 --json python tools/benchmark.py losses
    --device cuda --dtypes float32 bfloat16 --compile

Every repetition runs all losses once, in random order, and the medians are compared: on a busy machine the ratio holds,
the absolute time does not. Memory is the peak above what was there before the call (inputs excluded), from the profiler
on CPU and from the allocator on GPU. "authors" is the formula of the released CRL code: clamped probabilities and a
one-hot target.
"""

import argparse
import json
import platform
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.catalogue import LOSSES, build_criterion, loss_class

summary = "forward + backward of each loss against F.cross_entropy: time and peak memory"
SIZES = {"16x200": 1500, "64x8": 1500, "256x1000": 300, "4096x1000": 40, "8192x32000": 5}  # size -> repetitions
KEY_LOSSES = ["crl", "soft-margin", "nllr", "focal", "poly1", "authors"]


@dataclass
class Row:
    """One line of the table."""

    size: str
    dtype: str
    loss: str
    median_us: float
    ratio: float
    peak_mib: float
    extra_scalars_per_row: float


def authors_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Evaluate log((A - p)^beta / p + 1e-7) with A = 2.5, beta = 1 in the steps of the released code (PRIS-CV/CRL-code,
    ratio.py).

    Its cost is in the tables: an integer one-hot scattered from a table of ones, and the true class's probability taken
    twice.
    """
    ones = torch.ones_like(logits, dtype=torch.long)
    one_hot = torch.zeros_like(ones).scatter_(1, target.unsqueeze(1), ones).to(logits.dtype)
    table = F.softmax(logits, dim=1).clamp(1e-7, 1 - 1e-7)
    above, below = (one_hot * table).sum(1), (one_hot * table).sum(1)
    return torch.log((2.5 - above) ** 1.0 / below + 1e-7).mean()


def main(argv: list[str]) -> int:
    """Run the benchmark and print a table, or JSON."""
    options = parse(argv)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("benchmark losses: error: --device cuda, but torch sees no GPU; use --device cpu", file=sys.stderr)
        return 1
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = [row for size in options.sizes for dtype in options.dtypes for row in measure(size, dtype, options)]
    machine = {"torch": torch.__version__, "device": device_name(options.device), "threads": torch.get_num_threads(),
               "compiled": options.compile, "date": time.strftime("%Y-%m-%d")}  # fmt: skip
    print(
        json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1)
        if options.json
        else table(machine, rows)
    )
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    names = [name for name in LOSSES if loss_class(name).needs == "logits" and name != "ce"]
    parser = argparse.ArgumentParser(prog="python tools/benchmark.py losses", description=summary)
    which = f"all, or some of: authors {' '.join(names)} (default: {' '.join(KEY_LOSSES)})"
    known = [*names, "authors", "all"]
    parser.add_argument("--losses", nargs="+", default=KEY_LOSSES, choices=known, metavar="NAME", help=which)
    sizes = f"batch x classes, of: {' '.join(SIZES)} (default: all but the last, which needs 6 GB)"
    small = [s for s in SIZES if s != "8192x32000"]
    parser.add_argument("--sizes", nargs="+", default=small, choices=SIZES, metavar="NxC", help=sizes)
    parser.add_argument("--dtypes", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=0, help="repetitions per size (default: by size, 1500 to 5)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's)")
    parser.add_argument("--compile", action="store_true", help="torch.compile every loss, cross-entropy too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    if "all" in options.losses:
        options.losses = [*names, "authors"]
    return options


def measure(size: str, dtype: str, options: argparse.Namespace) -> list[Row]:
    """Time all losses at one size and type, interleaved."""
    batch, classes = map(int, size.split("x"))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, classes, generator=generator).to(options.device, getattr(torch, dtype)).requires_grad_()
    target = torch.randint(classes, (batch,), generator=generator).to(options.device)
    losses = {"ce": F.cross_entropy, **{name: build(name, classes) for name in options.losses}}
    if options.compile:
        torch.compiler.reset()
        losses = {name: torch.compile(loss) for name, loss in losses.items()}

    def step(name: str) -> None:
        logits.grad = None
        losses[name](logits, target).backward()

    seconds = interleave(list(losses), step, options.repeats or SIZES[size], options.device)
    peaks = {}
    for name in losses:
        logits.grad = None  # else its release inside the call would count as memory gained
        peaks[name] = peak_bytes(lambda name=name: step(name), options.device)
    base = statistics.median(seconds["ce"])
    return [
        Row(size, dtype, name, statistics.median(seconds[name]) * 1e6, statistics.median(seconds[name]) / base,
            peaks[name] / 2**20, (peaks[name] - peaks["ce"]) / 4 / batch)
        for name in losses
    ]  # fmt: skip


def build(name: str, classes: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Build a loss with its default settings."""
    if name == "authors":
        return authors_loss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_criterion(name, {}, num_classes=classes, feature_dim=1)


def interleave(names: list[str], step: Callable[[str], None], repeats: int, device: str) -> dict[str, list[float]]:
    """Run every loss once per repetition, in an order that changes, so that a slow moment hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    order, shuffler = list(names), random.Random(0)
    for repeat in range(repeats + 3):
        shuffler.shuffle(order)
        for name in order:
            synchronise(device)
            start = time.perf_counter()
            step(name)
            synchronise(device)
            if repeat >= 3:  # the first ones warm caches, the allocator and the compiler
                seconds[name].append(time.perf_counter() - start)
    return seconds


def synchronise(device: str) -> None:
    """Wait for the GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak_bytes(call: Callable[[], None], device: str) -> int:
    """Measure the most memory alive at once during a call, above what was alive before."""
    if device == "cuda":
        call()
        torch.cuda.synchronize()
        before = (
            torch.cuda.memory_allocated()
        )  # includes one gradient, which the call replaces: the same for every loss
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        call()
    alive = peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):  # forward and backward threads report separately
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak


def device_name(device: str) -> str:
    """Name the machine."""
    return torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()} CPU"


def table(machine: dict[str, object], rows: list[Row]) -> str:
    """Lay the rows out as text."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(
        f"{'size':>11} {'dtype':>9} {'loss':>14} {'median':>12} {'/ CE':>7} {'peak MiB':>10}"
        f" {'scalars/row over CE':>20}"
    )
    for row in rows:
        lines.append(
            f"{row.size:>11} {row.dtype:>9} {row.loss:>14} {row.median_us:>9.0f} us {row.ratio:>7.2f}"
            f" {row.peak_mib:>10.2f} {row.extra_scalars_per_row:>20.1f}"
        )
    return "\n".join(lines)
