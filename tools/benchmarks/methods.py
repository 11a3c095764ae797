"""What the methods cost: DCL's destruction, B-CNN's cached features and compact pooling, and each method's training
step.

    python tools/benchmark.py methods
    python tools/benchmark.py methods --parts steps --backbone resnet50 --image-size 448 --device auto

    destruction   pictures per second on one core, against the public PIL version (tools/benchmarks/destruction.py)
    cache         seconds per epoch of B-CNN's stage 1, cached features against none; the time to fill the cache is
    shown apart sketch        B-CNN's pooling of 512 x 28 x 28 maps, forward and backward: the whole matrix, our tensor
    sketch of it, and the sketch by
                  Fourier transforms at every place (written from Gao et al., algorithm 2); MiB kept for the backward
                  pass, and MiB of a classifier of 200 classes on top
    steps         forward and backward pass of each method against plain fine-tuning of the same backbone: at one batch
                  for DFL-CNN and B-CNN, at twice the batch for DCL, which shows every picture twice

All candidates of a part alternate within each round; medians, and medians of the rounds' ratios.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from benchmark import load  # tools/benchmark.py, which runs this file

from finegrained_crl.training.recipe import Component, Recipe

summary = "destruction, cached features, compact pooling and training steps of the methods"
PARTS = ("destruction", "cache", "sketch", "steps")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py methods", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--backbone", default="tf_efficientnet_lite0", help="timm model for cache and steps [tf_efficientnet_lite0]"
    )
    parser.add_argument("--image-size", type=int, default=160, help="pixels, for cache and steps [160]")
    parser.add_argument("--batch-size", type=int, default=16, help="[16]")
    parser.add_argument("--classes", type=int, default=200, help="for steps [200]")
    parser.add_argument("--rounds", type=int, default=7, help="[7]")
    parser.add_argument("--device", choices=("cpu", "auto"), default="cpu", help="for steps [cpu]")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    from finegrained_crl.cli.show import print_table

    found = {name: globals()[name](options) for name in options.parts}
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    size = f"{options.backbone}, {options.image_size} px, batch {options.batch_size}, {torch.get_num_threads()} threads"
    for name, rows in found.items():
        print_table(f"{name}: {size}" if name in ("cache", "steps") else name, rows[0], (row.values() for row in rows))
    return 0


def destruction(options: Any) -> list[dict[str, Any]]:
    """The rows of tools/benchmarks/destruction.py, at 448 px and 7 x 7 blocks."""
    rows = load(Path(__file__).with_name("destruction.py")).destruction()
    return [
        {
            "way": row.name,
            "images/s on one core": round(row.images_per_second),
            "ratio to PIL public": round(row.ratio, 1),
        }
        for row in rows
    ]


def cache(options: Any) -> list[dict[str, Any]]:
    """Seconds per epoch of B-CNN's stage 1."""
    from finegrained_crl_datasets.demo_birds import make_demo_birds

    with tempfile.TemporaryDirectory() as folder:
        make_demo_birds(Path(folder) / "birds", images_per_class=40, size=options.image_size)
        loops = {views: _stage_1(options, Path(folder), views) for views in (0, 1)}
        seconds: dict[int, list[float]] = {views: [] for views in loops}
        for _ in range(options.rounds + 1):
            for views, (loop, _fill) in loops.items():
                seconds[views].append(_timed(loop.train_epoch))
                loop.progress.close_epoch({})
        plain, cached = (times[1:] for times in seconds.values())  # the first epoch warms up
        images, fill = len(loops[0][0].session.parts.train), loops[1][1]
    ratio = statistics.median(a / b for a, b in zip(plain, cached, strict=True))
    return [
        {
            "epoch of stage 1": f"{images} images, no cache",
            "seconds": round(statistics.median(plain), 2),
            "times faster": 1.0,
        },
        {
            "epoch of stage 1": "cached features",
            "seconds": round(statistics.median(cached), 3),
            "times faster": round(ratio, 1),
        },
        {"epoch of stage 1": "filling the cache, once per view", "seconds": round(fill, 2), "times faster": ""},
    ]


def _stage_1(options: Any, folder: Path, views: int) -> tuple[Any, float]:
    from finegrained_crl.training.loop import Loop
    from finegrained_crl.training.run_folder import RunFolder
    from finegrained_crl.training.run_options import RunOptions
    from finegrained_crl.training.session import Session

    method = Component("bcnn", {"stage1_epochs": 1000, "cached_views": views})
    recipe = Recipe(
        dataset=Component("cub200"),
        data=str(folder / "birds"),
        method=method,
        backbone=options.backbone,
        weights="none",
        image_size=options.image_size,
        batch_size=options.batch_size,
        optimizer="momentum",
    )
    loop = Loop(Session(recipe, RunFolder(folder / f"run-{views}"), RunOptions(workers=0, checkpoint_seconds=1e9)))
    return loop, _timed(lambda: loop.begin(loop.session.stages[0]))


def sketch(options: Any) -> list[dict[str, Any]]:
    """Time and memory of B-CNN's pooling, batch 8."""
    from finegrained_crl_plugins.bcnn.bilinear import bilinear_pool, normalised
    from finegrained_crl_plugins.bcnn.tensor_sketch import TensorSketch

    dim, maps = 8192, torch.randn(8, 512, 28, 28)
    ours, usual = TensorSketch(512, 512, dim), _PlacewiseSketch(512, dim)
    ways: dict[str, tuple[int, Callable[[torch.Tensor], torch.Tensor]]] = {
        "whole matrix": (512 * 512, lambda x: normalised(bilinear_pool(x, x), 1e-5)),
        "sketch of the pooled matrix (ours)": (dim, lambda x: normalised(ours(bilinear_pool(x, x)), 1e-5)),
        "sketch at every place": (dim, lambda x: normalised(usual(x), 1e-5)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds + 1):
        for name, (_, way) in ways.items():
            leaf = maps.clone().requires_grad_()
            seconds[name].append(_timed(lambda way=way, leaf=leaf: way(leaf).sum().backward()))
    return [
        {
            "pooling": name,
            "ms": round(1000 * statistics.median(seconds[name][1:]), 1),
            "MiB kept for backward": round(_kept(way, maps) / 2**20, 1),
            "MiB of the classifier": round(size * 200 * 4 / 2**20, 1),
        }
        for name, (size, way) in ways.items()
    ]


class _PlacewiseSketch:
    """Count sketches of both streams at every place, multiplied in Fourier space, summed over the places."""

    def __init__(self, channels: int, dim: int) -> None:
        self.dim = dim
        self.bins = [torch.randint(dim, (channels,)) for _ in range(2)]
        self.signs = [torch.randint(2, (channels,)) * 2.0 - 1.0 for _ in range(2)]

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        x = maps.flatten(2).mT  # (batch, places, channels)
        one, other = (
            torch.fft.rfft(x.new_zeros(*x.shape[:2], self.dim).index_add(2, h, x * s))
            for h, s in zip(self.bins, self.signs, strict=True)
        )
        return torch.fft.irfft((one * other).mean(1), n=self.dim)


def _kept(way: Callable[[torch.Tensor], torch.Tensor], maps: torch.Tensor) -> int:
    """Bytes of the tensors, beside the maps, that autograd keeps for the backward pass."""
    leaf = maps.clone().requires_grad_()
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != leaf.untyped_storage().data_ptr():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        _result = way(leaf)
    return sum(kept.values())


def steps(options: Any) -> list[dict[str, Any]]:
    """Seconds of a training step of each method, and its ratio to plain fine-tuning that passes as many pictures."""
    calls: dict[str, Callable[[], None]] = {}
    for name, batch in {"resnet": 1, "resnet x 2": 2, "bcnn": 1, "dfl": 1, "dcl": 1}.items():
        calls[name] = _step(name.partition(" ")[0], batch * options.batch_size, options)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.rounds + 2):
        for name, call in calls.items():
            seconds[name].append(_timed(call))
    times = {name: values[2:] for name, values in seconds.items()}
    peers = {"bcnn": "resnet", "dfl": "resnet", "dcl": "resnet x 2"}
    return [
        {
            "method": name,
            "seconds per step": round(statistics.median(values), 4),
            "against": peers.get(name, ""),
            "ratio": round(statistics.median(a / b for a, b in zip(values, times[peers[name]], strict=True)), 3)
            if name in peers
            else "",
        }
        for name, values in times.items()
    ]


def _step(method: str, batch_size: int, options: Any) -> Callable[[], None]:
    from finegrained_crl.training.assembly import make_trainee
    from finegrained_crl.training.device import make_accelerator
    from finegrained_crl.training.timing import random_batch

    device = make_accelerator("fp32", options.device).device
    recipe = Recipe(
        method=Component(method),
        backbone=options.backbone,
        weights="none",
        image_size=options.image_size,
        batch_size=batch_size,
    )
    trainee = make_trainee(recipe, options.classes).to(device).to(memory_format=torch.channels_last).train()
    batch = random_batch(trainee, recipe, device, options.classes)
    batch = batch._replace(images=batch.images.contiguous(memory_format=torch.channels_last))

    def step() -> None:
        losses, _ = trainee(batch)
        torch.stack(list(losses.values())).sum().backward()
        trainee.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
