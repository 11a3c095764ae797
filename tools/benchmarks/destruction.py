"""DCL's destruction against the public way of doing it, in pictures per second on one core; a part of `benchmark.py
methods`.

    python tools/benchmark.py destruction
    python tools/benchmark.py destruction --size 224 --grid 4 --json

The peers are written from the definition: "PIL blocks" cuts every block out of a PIL picture and pastes it at its new
place;
"PIL public" also does what the public code does besides: a border of 10 pixels cut off, every block resampled, the
result scaled back to size. Ours are the function for one picture in a loader's worker and the one for a batch of float
tensors; both draw their permutations inside the measured time. Every repetition runs all of them once, in random order;
medians.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from PIL import Image

from finegrained_crl.training.device import keep_freed_memory
from finegrained_crl_plugins.dcl.destruction import (
    picture_permutation,
    random_permutations,
    shuffle_blocks,
    shuffle_picture,
)

summary = "DCL's destruction against the public PIL version, pictures per second on one core"


@dataclass
class Row:
    """One line of the table."""

    name: str
    images_per_second: float
    ratio: float


def main(argv: list[str]) -> int:
    """Run the benchmark and print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python tools/benchmark.py destruction", description=summary)
    parser.add_argument("--size", type=int, default=448, help="side of the picture, pixels (default: 448)")
    parser.add_argument("--grid", type=int, default=7, help="blocks per side (default: 7)")
    parser.add_argument("--repeats", type=int, default=20, help="repetitions (default: 20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    rows = destruction(options.size, options.grid, options.repeats)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print("\n".join(f"{row.name:24} {row.images_per_second:>10.0f} images/s {row.ratio:>7.1f} x" for row in rows))
    return 0


def destruction(size: int = 448, grid: int = 7, repeats: int = 20, batch: int = 16) -> list[Row]:
    """Measure all ways on one thread; `ratio` is against "PIL public"."""
    dice = np.random.default_rng(0)
    pixels = dice.integers(0, 256, (size, size, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    images = torch.from_numpy(pixels).permute(2, 0, 1).expand(batch, -1, -1, -1).float()
    images = images.contiguous(memory_format=torch.channels_last)
    keep_freed_memory()  # as every run on a CPU does
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "PIL public": (1, lambda: pil_public(picture, grid)),
        "PIL blocks": (1, lambda: pil_blocks(picture, grid)),
        "ours, worker": (
            1,
            lambda: shuffle_picture(
                pixels, picture_permutation(dice.random((2, grid, grid), dtype=np.float32), 4), grid
            ),
        ),
        f"ours, batch of {batch} floats": (
            batch,
            lambda: shuffle_blocks(images, random_permutations(batch, grid, 4), grid),
        ),
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = interleave({name: call for name, (_, call) in ways.items()}, repeats)
    finally:
        torch.set_num_threads(threads)
    speed = {name: per_call / seconds[name] for name, (per_call, _) in ways.items()}
    return [Row(name, value, value / speed["PIL public"]) for name, value in speed.items()]


def interleave(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call; all run once per repetition, in an order that changes."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    order, dice = list(calls), random.Random(0)
    for repeat in range(repeats + 3):
        dice.shuffle(order)
        for name in order:
            calls[name]()  # a worker's picture is in the cache, where augmentation has left it
            start = time.perf_counter()
            for _ in range(5):
                calls[name]()
            if repeat >= 3:  # the first ones warm the allocator
                seconds[name].append((time.perf_counter() - start) / 5)
    return {name: statistics.median(values) for name, values in seconds.items()}


def order_of_blocks(grid: int) -> list[tuple[int, int]]:
    """The public shuffle: after each block, and after each row, the last two change places or not; (row, column) of
    each source."""
    lines: list[list[tuple[int, int]]] = []
    for row in range(grid):
        line: list[tuple[int, int]] = []
        for column in range(grid):
            line.append((row, column))
            line[-2:] = random.sample(line[-2:], len(line[-2:]))
        lines.append(line)
        lines[-2:] = random.sample(lines[-2:], len(lines[-2:]))
    return [block for line in lines for block in line]


def pil_blocks(picture: Image.Image, grid: int) -> Image.Image:
    """Crop every block, paste it at its new place; nothing else."""
    wide, high = picture.width // grid, picture.height // grid
    result = Image.new("RGB", picture.size)
    for place, (row, column) in enumerate(order_of_blocks(grid)):
        block = picture.crop((column * wide, row * high, (column + 1) * wide, (row + 1) * high))
        result.paste(block, (place % grid * wide, place // grid * high))
    return result


def pil_public(picture: Image.Image, grid: int) -> Image.Image:
    """Destroy as the public code does: border off, blocks cut at fractions of the side, each resampled to one size, all
    scaled back."""
    inner = picture.crop((10, 10, picture.width - 10, picture.height - 10))
    lefts = [int(inner.width / grid * i) for i in range(grid + 1)]
    tops = [int(inner.height / grid * i) for i in range(grid + 1)]
    wide, high = inner.width // grid, inner.height // grid
    result = Image.new("RGB", (wide * grid, high * grid))
    for place, (row, column) in enumerate(order_of_blocks(grid)):
        block = inner.crop((lefts[column], tops[row], lefts[column + 1], tops[row + 1]))
        result.paste(block.resize((wide, high), Image.Resampling.LANCZOS), (place % grid * wide, place // grid * high))
    return result.resize(picture.size)
