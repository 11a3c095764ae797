"""What `--reduced-decoding` saves and changes: JPEGs decoded whole, and at the smallest scale that covers the size.

    python tools/benchmark.py decoding ../shared/data/stanford_cars_audi_bmw_crops
    python tools/benchmark.py decoding PHOTOS --short-side 224 448

Both are followed by the same resize; they take turns, picture by picture, each first in half of them. The difference
is that of the resized pixels, of 255.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.cli.show import print_table
from finegrained_crl.data.images import read_image
from finegrained_crl.data.transforms import shrunk

summary = "time and pixels of JPEGs decoded at a reduced size"


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--short-side", type=int, nargs="+", default=[64, 96, 128, 224])
    parser.add_argument("--pictures", type=int, default=200)
    asked = parser.parse_args(argv)
    every = sorted(path for path in asked.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    paths = every[:: max(1, len(every) // asked.pictures)][: asked.pictures]
    shapes = [min(read_image(path).shape[:2]) for path in paths]
    print(f"{len(paths)} JPEGs, short sides {min(shapes)} to {max(shapes)} px, median {statistics.median(shapes):.0f}")
    rows = [_row(paths, side) for side in asked.short_side]
    times = ("whole, ms", "reduced, ms", "whole / reduced")
    print_table("", ("short side", "decoded smaller", *times, "mean |difference|", "99 % below"), rows)
    return 0


def _row(paths: list[Path], side: int) -> tuple[str, ...]:
    times: dict[int | None, list[float]] = {None: [], side: []}
    differences = []
    for number, path in enumerate(paths):
        resized: dict[int | None, Any] = {}
        path.read_bytes()  # from now on it is in the system's cache
        for least in sorted(times, key=str, reverse=bool(number % 2)):
            begin = time.perf_counter()
            resized[least] = shrunk(read_image(path, least_side=least), side)
            times[least].append(time.perf_counter() - begin)
        whole, reduced = resized[None].astype(int), resized[side].astype(int)
        if whole.shape == reduced.shape:
            differences.append(np.abs(whole - reduced).ravel())
    values = np.concatenate(differences)
    ratio = statistics.median(a / b for a, b in zip(times[None], times[side], strict=True))
    share = np.mean([read_image(path, least_side=side).shape != read_image(path).shape for path in paths])
    return (
        str(side),
        f"{100 * share:.0f} %",
        *(f"{1000 * statistics.median(times[least]):.2f}" for least in (None, side)),
        f"{ratio:.2f}",
        f"{values.mean():.2f}",
        f"{np.percentile(values, 99):.0f}",
    )
