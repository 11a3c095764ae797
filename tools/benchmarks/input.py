"""Pictures per second as float batches on the device, ready for the network: our routes against a peer, interleaved.

    python tools/benchmark.py input                              # 32 px, pad 4, crop and flip, as on CIFAR
    python tools/benchmark.py input --kind photos --image-size 224 448 --workers 1 2
    python tools/benchmark.py input --stages --kind photos --backbone resnet18   # where the time of a picture goes

    small     10,000 random pictures in CIFAR-10's Python files; the peer is torchvision's way: RandomCrop(32,
              padding=4), RandomHorizontalFlip, ToTensor, Normalize in a DataLoader over arrays
    photos    generated birds, resized before (short side 512); the peer is timm's loader with the same random resized
              crop and flip; at `--image-size` pixels

The loaders take turns of a few seconds, so that a busy machine slows all alike, and what a loader fetched ahead in
another's turn weighs little; medians, and medians of the rounds' ratios. What is done once (decoding into memory) is
timed apart.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finegrained_crl.data.images import read_image
from finegrained_crl.data.loading import batches, collate
from finegrained_crl.data.picture_source import source_bytes
from finegrained_crl.training.loop import Loop
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.session import Session

summary = "pictures per second of each input route against torchvision's and timm's loaders"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
SMALL = {"image_size": 32, "resize_ratio": 1.0, "eval_resize_ratio": 1.0, "crop_scale": 1.0, "pad": 4, "hflip": 0.5}
PHOTOS = {"crop_scale": 0.08, "hflip": 0.5}

Rows = list[dict[str, Any]]


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="benchmark.py input", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("small", "photos"), default="small")
    parser.add_argument("--image-size", type=int, nargs="+", default=[224], help="of photos [224]")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[2], help="loader processes of the file route and peer"
    )
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--pictures", type=int, default=10_000, help="of the small kind [10000]")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn [2]")
    parser.add_argument("--stages", action="store_true", help="time the stages of the file route, and say which limits")
    parser.add_argument("--backbone", default="test_resnet", help="whose step is timed with --stages [test_resnet]")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    from finegrained_crl.cli.show import print_table

    with tempfile.TemporaryDirectory() as folder:
        data = make_small(Path(folder), asked.pictures) if asked.kind == "small" else make_photos(Path(folder))
        rows = stages(data, asked) if asked.stages else rates(data, asked)
    limits = [line for size in _sizes(asked) for line in limits_of(rows, size, asked.workers)] if asked.stages else []
    if asked.json:
        print(json.dumps({"stages": rows, "limits": limits} if asked.stages else rows, indent=2))
    else:
        print_table(
            f"{asked.kind}, batch {asked.batch_size}, {torch.get_num_threads()} threads",
            rows[0],
            [*map(dict.values, rows)],
        )
        for line in limits:
            print(line)
    return 0


def _sizes(asked: argparse.Namespace) -> list[int]:
    return [32] if asked.kind == "small" else asked.image_size


def make_small(folder: Path, pictures: int) -> Path:
    """CIFAR-10's Python files with random pictures."""
    root, random = folder / "cifar-10-batches-py", np.random.default_rng(0)
    root.mkdir()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        count = pictures // 5 if name != "test_batch" else 100
        data = random.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = (np.arange(count) % 10).tolist()
        (root / name).write_bytes(pickle.dumps({b"data": data, b"labels": labels}, protocol=2))
    return root


def make_photos(folder: Path) -> Path:
    """Generated birds as JPEG of 512 pixels."""
    from PIL import Image

    from finegrained_crl_datasets.demo_birds import make_demo_birds

    root = folder / "birds"
    make_demo_birds(root, images_per_class=150)  # nine batches of 128 to train on: an epoch's start should not weigh
    for path in root.rglob("*.jpg"):
        Image.open(path).resize((640, 512), Image.Resampling.BICUBIC).save(path, quality=90)
    return root


def training_folder(data: Path) -> Path:
    """A folder of classes with links to the pictures that our routes train on, for a peer that reads folders."""
    folder, lists = data / "training pictures", data / "CUB_200_2011"
    if folder.is_dir():
        return folder
    names = dict(line.split() for line in (lists / "images.txt").read_text().splitlines())
    for line in (lists / "train_test_split.txt").read_text().splitlines():
        number, is_training = line.split()
        if is_training == "1":
            link = folder / names[number]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(lists / "images" / names[number])
    return folder


def make_session(data: Path, asked: argparse.Namespace, size: int, workers: int, route: str) -> Session:
    """The session of a run over a route, whose loader is measured."""
    how: dict[str, Any] = SMALL if asked.kind == "small" else {**PHOTOS, "image_size": size}
    dataset = "cifar10" if asked.kind == "small" else "cub200"
    recipe = Recipe(
        dataset=Component(dataset),
        data=str(data),
        backbone=asked.backbone,
        weights="none",
        batch_size=asked.batch_size,
        allow_leaks=True,
        precision="fp32",
        memory_format="channels_last",
        **how,
    )
    options = RunOptions(workers=workers, data_in=route)  # type: ignore[arg-type]
    return Session(recipe, RunFolder(data.parent / "never written"), options)


def rates(data: Path, asked: argparse.Namespace) -> Rows:
    """One row per size, number of workers and loader."""
    rows: Rows = []
    for size in _sizes(asked):
        for workers in asked.workers:
            rows += compare(data, asked, size, workers)
    return rows


def compare(data: Path, asked: argparse.Namespace, size: int, workers: int) -> Rows:
    """Our routes and the peer, chunk by chunk in turns."""
    peer = torchvision_batches if asked.kind == "small" else timm_batches
    loaders: dict[str, Iterator[torch.Tensor]] = {"peer": peer(data, asked, size, workers)}
    once: dict[str, float] = {}
    for route in routes(asked):
        begin = time.perf_counter()
        loaders[route] = our_batches(make_session(data, asked, size, workers, route))
        next(loaders[route])
        once[route] = time.perf_counter() - begin
    measured: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(asked.rounds + 1):
        for name, loader in loaders.items():
            rate = turn(loader, asked.seconds)
            if number:  # the first turn warms up
                measured[name].append(rate)
    return [
        {
            "size": size,
            "workers": workers,
            "route": name,
            "images/s": round(statistics.median(rates)),
            "ratio": round(statistics.median(r / p for r, p in zip(rates, measured["peer"], strict=True)), 2),
            "s to the first batch": f"{once[name]:.1f}" if name in once else "",
        }
        for name, rates in measured.items()
    ]


def routes(asked: argparse.Namespace) -> list[str]:
    """The routes that this machine and kind have."""
    if asked.kind == "photos":
        return ["files", "memory"]
    return ["files", "memory", *(["device"] if torch.cuda.is_available() else [])]


def our_batches(session: Session) -> Iterator[torch.Tensor]:
    """Normalised batches of epoch after epoch."""
    epoch = 0
    while True:
        session.order.at(epoch)
        for batch in batches(session.train_loader):
            yield session.scorer.inputs(batch.images)
        epoch += 1


def torchvision_batches(data: Path, asked: argparse.Namespace, _size: int, workers: int) -> Iterator[torch.Tensor]:
    """Batches as the usual CIFAR scripts make them."""
    device, loader = _device(), torchvision_loader(data, asked, workers)
    while True:
        for images, _ in loader:
            yield images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)


def torchvision_loader(data: Path, asked: argparse.Namespace, workers: int) -> Any:
    """PIL pictures from arrays, torchvision's transforms."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets.vision import VisionDataset

    class Arrays(VisionDataset):
        def __init__(self) -> None:
            parts = [pickle.loads((data / f"data_batch_{n}").read_bytes())[b"data"] for n in range(1, 6)]
            self.pictures = np.concatenate(parts).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            self.transform = transforms.Compose(
                [
                    transforms.RandomCrop(32, padding=4),
                    transforms.RandomHorizontalFlip(),
                    transforms.ToTensor(),
                    transforms.Normalize(MEAN, STD),
                ]
            )

        def __len__(self) -> int:
            return len(self.pictures)

        def __getitem__(self, place: int) -> tuple[Any, int]:
            from PIL import Image

            return self.transform(Image.fromarray(self.pictures[place])), place % 10

    how: dict[str, Any] = {
        "shuffle": True,
        "num_workers": workers,
        "drop_last": True,
        "persistent_workers": workers > 0,
    }
    return DataLoader(Arrays(), asked.batch_size, pin_memory=torch.cuda.is_available(), **how)


def timm_batches(data: Path, asked: argparse.Namespace, size: int, workers: int) -> Iterator[torch.Tensor]:
    """Batches of timm's loader."""
    from timm.data import create_dataset, create_loader

    device = _device()
    loader = create_loader(
        create_dataset("", root=str(training_folder(data))),
        input_size=(3, size, size),
        batch_size=asked.batch_size,
        is_training=True,
        scale=(0.08, 1.0),
        hflip=0.5,
        color_jitter=None,
        interpolation="bilinear",
        num_workers=workers,
        persistent_workers=workers > 0,
        device=device,
    )
    while True:
        for images, _ in loader:
            yield images.contiguous(memory_format=torch.channels_last)


def turn(loader: Iterator[torch.Tensor], seconds: float) -> float:
    """Pictures per second over about so many seconds."""
    _wait()
    begin, pictures = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        pictures += len(next(loader))
    _wait()
    return pictures / (time.perf_counter() - begin)


IN_LOADERS = ("read", "decode", "resize", "augment", "collate")


def stages(data: Path, asked: argparse.Namespace) -> Rows:
    """Microseconds per picture of each stage of the file route and of an update, one after the other; the loaders'
    stages on one core.
    """
    rows: Rows = []
    for size in _sizes(asked):
        session = make_session(data, asked, size, 0, "files")
        work = {**loader_work(session, asked.batch_size), **training_work(session)}
        times = {name: [_seconds(job) for _ in range(asked.rounds)] for name, job in work.items()}
        each = {name: 1e6 * statistics.median(values) / asked.batch_size for name, values in times.items()}
        each["decode"] -= each["read"]
        each["step"] -= each["copy and normalise"]
        whole = sum(each.values())
        rows += [
            {
                "size": size,
                "stage": name,
                "where": "loader" if name in IN_LOADERS else "training process",
                "us per picture": round(value, 1),
                "share": f"{100 * value / whole:.0f} %",
            }
            for name, value in each.items()
        ]
    return rows


def loader_work(session: Session, count: int) -> dict[str, Callable[[], Any]]:
    """What a loader does with a batch, stage by stage; "decode" reads, too."""
    table, pictures, transform = session.records, session.train_pictures, session.train_transform
    chosen = session.parts.train[:count]
    paths = [table.root / path for path in table.table["path"].iloc[chosen]]
    decoded = [read_image(path) for path in paths]
    prepared = [transform.prepare(picture) for picture in decoded]
    items = [pictures[(0, int(row))] for row in chosen]
    return {
        "read": lambda: [source_bytes(path) for path in paths],
        "decode": lambda: [read_image(path) for path in paths],
        "resize": lambda: [transform.prepare(picture) for picture in decoded],
        "augment": lambda: [transform.vary(picture, 0, i) for i, picture in enumerate(prepared)],
        "collate": lambda: collate(items),
    }


def training_work(session: Session) -> dict[str, Callable[[], Any]]:
    """What the process that trains does with a batch; "step" is an update, which copies and normalises, too."""
    loop = Loop(session)
    loop.begin(session.stages[0])
    loop.stage.train_mode()
    group = next(iter(loop.stage.groups()))
    images = group[0].images
    return {
        "copy and normalise": lambda: session.scorer.inputs(images),
        "step": lambda: loop.update(group),
    }


def limits_of(rows: Rows, size: int, workers: list[int]) -> list[str]:
    """What limits an epoch by the times of the stages, a line for each number of loader processes."""
    sides = {
        where: [row for row in rows if row["size"] == size and row["where"] == where]
        for where in ("loader", "training process")
    }
    lines = []
    for count in workers:
        seconds = {where: sum(row["us per picture"] for row in stages) for where, stages in sides.items()}
        seconds["loader"] /= max(1, count)
        slowest = max(sides[max(seconds, key=seconds.__getitem__)], key=lambda row: row["us per picture"])
        speeds = {where: 1e6 / value for where, value in seconds.items()}
        lines.append(
            f"{size} px, {count} loader process{'es' * (count > 1)}: {speeds['loader']:,.0f} images/s from the loaders,"
            f" {speeds['training process']:,.0f} in the training process: {slowest['stage']} limits"
        )
    return lines


def _seconds(job: Callable[[], Any]) -> float:
    _wait()
    begin = time.perf_counter()
    job()
    _wait()
    return time.perf_counter() - begin


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
