"""Whole training steps on a GPU, pictures included: our loop with pictures on the device against the usual loop.

    python tools/benchmark.py gpu                                # ResNet-50 at 224 and 448 px, CIFAR's ResNet-34 at 32
    python tools/benchmark.py gpu --cases 448 --no-compile
    python tools/benchmark.py gpu --cases 32 --cuda-graphs

    32        cifar_resnet34 on 50,000 random pictures, batch 256; the peer reads them as torchvision does, 14 workers
    224, 448  resnet50 on 5,994 generated JPEGs of 512 px and 200 classes (CUB's size), plain crop and flip; the peer is
              timm's loader, 14 workers

Both train with bf16, channels_last and, unless --no-compile, torch.compile; "plain" is the peer as scripts leave it:
fp32, contiguous, not compiled. Turns alternate; medians of images per second. `ceiling` is the share of a large bf16
matrix product's rate that the network's multiplications reach, `input` the share of our step that is not the step
itself (the same loop over one batch kept on the device).
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark import load  # tools/benchmark.py, which runs this file

from finegrained_crl.data.loading import batches
from finegrained_crl.networks import register_networks
from finegrained_crl.training.loop import Loop
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.session import Session

summary = "training steps on a GPU, whole pipeline: ours against the usual loop, share of the ceiling, share of input"
CLASSES, TRAIN, WORKERS = 200, 5994, 14
INPUT = load(Path(__file__).parent / "input.py")

Updates = Iterator[int]
"""Does one update each, gives the number of pictures."""


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="benchmark.py gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, nargs="+", choices=(32, 224, 448), default=[32, 224, 448])
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--cuda-graphs", action="store_true", help="in ours and in the compiled peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn [4]")
    asked = parser.parse_args(argv)
    if not torch.cuda.is_available():
        print("no GPU here")
        return 1
    register_networks()
    ceiling = matrix_rate()
    print(
        json.dumps(
            {
                "device": torch.cuda.get_device_name(),
                "torch": torch.__version__,
                "ceiling_tflops": round(ceiling / 1e12),
            }
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        for case in asked.cases:
            print(json.dumps(measure(case, Path(folder), asked, ceiling)), flush=True)
    return 0


def measure(case: int, folder: Path, asked: argparse.Namespace, ceiling: float) -> dict[str, Any]:
    """One case."""
    data = INPUT.make_small(folder, 50_000) if case == 32 else make_photos(folder / "photos")
    session = make_session(case, data, folder, compiled=not asked.no_compile, graphs=asked.cuda_graphs)
    flops = flops_per_picture(session)
    loop = Loop(session)
    loop.begin(session.stages[0])
    loops: dict[str, Updates] = {"ours": our_updates(loop), "ours, one batch": our_updates(loop, fixed=True)}
    mode = "reduce-overhead" if asked.cuda_graphs else "default"
    loops["peer"] = peer_updates(case, data, session, mode=None if asked.no_compile else mode)
    loops["plain"] = peer_updates(case, data, session, mode=None, plain=True)
    for name, updates in loops.items():  # compile, tune convolutions, fill queues
        begin = time.perf_counter()
        rate_of(updates, 2.0)
        print(f"{case}: {name} ready after {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(asked.rounds):
        for name, updates in loops.items():
            rates[name].append(rate_of(updates, asked.seconds))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    train = len(session.parts.train)
    return {
        "case": case,
        "network": session.recipe.backbone,
        "batch": session.recipe.batch_size,
        "route": str(session.route),
        "images/s": {name: round(rate) for name, rate in middle.items()},
        "over peer": round(middle["ours"] / middle["peer"], 2),
        "over plain": round(middle["ours"] / middle["plain"], 2),
        "input": f"{100 * (1 - middle['ours'] / middle['ours, one batch']):.1f} %",
        "ceiling": f"{100 * flops * middle['ours'] / ceiling:.1f} %",
        "seconds per epoch": round(train / middle["ours"], 2),
        "100 epochs, minutes": round(100 * train / middle["ours"] / 60, 1),
        "peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 1),
    }


def make_session(case: int, data: Path, folder: Path, *, compiled: bool, graphs: bool) -> Session:
    """Our run: pictures on the device."""
    how: dict[str, Any] = dict(INPUT.SMALL)
    if case != 32:
        how = {"image_size": case, "resize": "squash", "resize_ratio": 1.143, "crop_scale": 1.0}
    recipe = Recipe(
        dataset=Component("cifar10" if case == 32 else "image_folder"),
        data=str(data),
        backbone="cifar_resnet34" if case == 32 else "resnet50",
        weights="none",
        loss=Component("crl"),
        batch_size=256 if case == 32 else 128,
        epochs=1000,
        lr=0.01,
        precision="bf16",
        compile=compiled,
        allow_leaks=True,
        **how,
    )
    options = RunOptions(workers=0, data_in="device", cuda_graphs=graphs)
    return Session(recipe, RunFolder(folder / f"never written {case}"), options)


def our_updates(loop: Loop, *, fixed: bool = False) -> Updates:
    """Our training loop; `fixed`: over one batch again and again."""
    session = loop.session
    for epoch in itertools.count():
        session.order.at(epoch)
        loop.stage.train_mode()
        groups: Any = loop.stage.groups()
        if fixed:
            groups = itertools.repeat([next(batches(session.train_loader))])
        for group in groups:
            loop.update(group)
            yield len(group[0].labels)


def peer_updates(case: int, data: Path, session: Session, *, mode: str | None, plain: bool = False) -> Updates:
    """The usual loop, of torch, timm and torchvision; `mode` of torch.compile, None: not compiled."""
    import timm

    device, recipe = session.accelerator.device, session.recipe
    layout = torch.contiguous_format if plain else torch.channels_last
    net: Any = timm.create_model(recipe.backbone, num_classes=session.records.num_classes)
    net = net.to(device=device, memory_format=layout).train()
    forward = torch.compile(net, mode=mode) if mode else net
    optimizer = torch.optim.SGD(net.parameters(), lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    criterion = torch.nn.CrossEntropyLoss()
    for images, labels in peer_batches(case, data, recipe, device):
        images = images.to(device, non_blocking=True).contiguous(memory_format=layout)
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=not plain):
            loss = criterion(forward(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        yield len(labels)


def peer_batches(case: int, data: Path, recipe: Recipe, device: torch.device) -> Iterator[Any]:
    """Epoch after epoch of the peer's loader."""
    asked = argparse.Namespace(batch_size=recipe.batch_size)
    loader = INPUT.torchvision_loader(data, asked, WORKERS) if case == 32 else timm_loader(case, data, recipe, device)
    while True:
        yield from loader


def timm_loader(case: int, data: Path, recipe: Recipe, device: torch.device) -> Any:
    """timm's loader with the same plain crop and flip."""
    from timm.data import create_dataset, create_loader

    return create_loader(
        create_dataset("", root=str(data / "train")),
        input_size=(3, case, case),
        batch_size=recipe.batch_size,
        is_training=True,
        train_crop_mode="rkrc",
        hflip=0.5,
        color_jitter=None,
        interpolation="bilinear",
        num_workers=WORKERS,
        persistent_workers=True,
        device=device,
    )


def rate_of(updates: Updates, seconds: float) -> float:
    """Pictures per second over about so many seconds."""
    torch.cuda.synchronize()
    begin, pictures = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        pictures += next(updates)
    torch.cuda.synchronize()
    return pictures / (time.perf_counter() - begin)


def flops_per_picture(session: Session) -> float:
    """Multiplications and additions of a forward and backward pass, as torch counts them."""
    import timm
    from torch.utils.flop_counter import FlopCounterMode

    net = timm.create_model(session.recipe.backbone, num_classes=session.records.num_classes).cuda()
    side = session.recipe.image_size
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(2, 3, side, side, device="cuda")).sum().backward()
    return counter.get_total_flops() / 2


def matrix_rate(side: int = 8192, times: int = 20) -> float:
    """Operations per second of a bf16 matrix product."""
    one, other = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        one @ other
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(times):
        one @ other
    torch.cuda.synchronize()
    return 2 * side**3 * times / (time.perf_counter() - begin)


def make_photos(folder: Path) -> Path:
    """5,994 training pictures of 512 px in 200 classes, and a test picture of each class."""
    if not folder.exists():
        jobs = [(folder, number) for number in range(TRAIN + CLASSES)]
        with Pool() as pool:
            pool.map(make_photo, jobs, chunksize=64)
    return folder


def make_photo(job: tuple[Path, int]) -> None:
    """A picture of blurred noise, which JPEG keeps as large as a photograph."""
    from PIL import Image

    folder, number = job
    part = "train" if number < TRAIN else "test"
    path = folder / part / f"class{number % CLASSES:03}" / f"{number}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((512, 512), Image.Resampling.BICUBIC).save(path, quality=90)
