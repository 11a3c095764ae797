"""Training throughput: our loop against one made of timm's own parts in the manner of its train.py, interleaved.

Same model, pictures, batch, size, augmentation, optimiser and number of loader processes. Each loop lives in a process
of its own, so that neither lives on the other's settings; chunks of updates alternate, so that a busy machine slows
both alike. The figures are medians of images per second over the chunks, and the median of the pairs' ratios; memory is
the peak of the process that trains (its loader processes, which are timm's or torch's in both, are not in it).

    pipeline everything: read, decode, augment, collate, step
    step     one batch again and again

    equal    both with the same precision and memory format
    auto     ours with `--precision auto --memory-format auto`, timm's with its defaults (fp32, contiguous)
    compiled the same with `--compile auto`, for a run so long that compiling repays itself wherever steps get faster
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

summary = "images per second of our training loop against timm's"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["tf_efficientnet_lite0", "resnet18"], help="timm models")
    parser.add_argument("--parts", nargs="+", choices=["pipeline", "step"], default=["pipeline"])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=7, help="chunks per loop")
    parser.add_argument("--updates", type=int, default=5, help="updates per chunk")
    parser.add_argument("--workers", type=int, default=1, help="loader processes of each loop")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    from finegrained_crl.cli.show import print_table
    from finegrained_crl_datasets.demo_birds import make_demo_birds

    with tempfile.TemporaryDirectory() as folder:
        make_demo_birds(Path(folder) / "birds", images_per_class=40)
        rows = [
            compare(model, SETTINGS[name], name, part, Path(folder), options)
            for model in options.models
            for name in options.settings
            for part in options.parts
        ]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        title = (
            f"batch {options.batch_size}, {options.image_size} px, {options.workers} worker(s),"
            f" {torch.get_num_threads()} threads"
        )
        print_table(title, rows[0], (row.values() for row in rows))
    return 0


@dataclass(frozen=True)
class Setting:
    precision: str
    memory_format: str
    timm_channels_last: bool
    compile: Literal[False, "auto"] = False


SETTINGS = {
    "equal": Setting("fp32", "channels_last", True),
    "auto": Setting("auto", "auto", False),
    "compiled": Setting("auto", "auto", False, compile="auto"),
}


def compare(model: str, setting: Setting, name: str, part: str, folder: Path, options: Any) -> dict[str, Any]:
    ours, took = in_own_process(our_chunks, model, setting, part, folder, options)
    theirs, _ = in_own_process(timm_chunks, model, setting, part, folder, options)
    times = []
    for i in range(options.rounds + 1):
        first, second = (ours, theirs) if i % 2 else (theirs, ours)
        pair = first(), second()
        times.append(pair if i % 2 else pair[::-1])
    times = times[1:]  # the first chunk warms up
    our_peak, timm_peak = ours(stop=True), theirs(stop=True)
    mine, peer = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    timm_format = "channels_last" if setting.timm_channels_last else "contiguous"
    return {
        "model": model,
        "setting": name,
        "part": part,
        "ours": took,
        "timm": f"fp32, {timm_format}",
        "ours images/s": round(mine, 1),
        "timm images/s": round(peer, 1),
        "ratio (median of pairs)": round(ratio, 2),
        "ours MiB": round(our_peak),
        "timm MiB": round(timm_peak),
    }


def in_own_process(make: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., float], str]:
    """Run a loop in a child process; the returned function lets it do one chunk and gives its images per second, or,
    told to stop, its peak of memory in MiB.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, arguments))
    process.start()
    took = here.recv()

    def chunk(stop: bool = False) -> float:
        here.send(not stop)
        answer = float(here.recv())
        if stop:
            process.join()
        return answer

    return chunk, took


def _serve(pipe: Any, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    rates, took = make(*arguments)
    pipe.send(took)
    while pipe.recv():
        pipe.send(next(rates))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def repeated(batches: Iterable[Any], part: str) -> Iterator[Any]:
    """The batches; or the first of them, for ever."""
    for batch in batches:
        while part == "step":
            yield batch
        yield batch


def our_chunks(model: str, setting: Setting, part: str, folder: Path, options: Any) -> tuple[Iterator[float], str]:
    from finegrained_crl.training.loop import Loop
    from finegrained_crl.training.recipe import Component, Recipe
    from finegrained_crl.training.run_folder import RunFolder
    from finegrained_crl.training.run_options import RunOptions
    from finegrained_crl.training.session import Session

    recipe = Recipe(
        dataset=Component("cub200"),
        data=str(folder / "birds"),
        backbone=model,
        weights="none",
        loss=Component("ce"),
        image_size=options.image_size,
        batch_size=options.batch_size,
        epochs=10_000,
        lr=1e-3,
        precision=setting.precision,
        memory_format=setting.memory_format,
        compile=setting.compile,
    )
    name = f"run-{model}-{setting.precision}-{setting.compile}-{part}"
    session = Session(recipe, RunFolder(folder / name), RunOptions(workers=options.workers))
    loop = Loop(session)
    loop.begin(session.stages[0])

    def updates() -> Iterator[None]:
        for epoch in range(recipe.epochs):
            session.order.at(epoch)
            loop.stage.train_mode()
            for group in repeated(loop.stage.groups(), part):
                loop.update(group)
                yield

    return chunks(updates(), session.accelerator.device, options), str(session.setting)


def timm_chunks(model: str, setting: Setting, part: str, folder: Path, options: Any) -> tuple[Iterator[float], str]:
    from timm import create_model
    from timm.data import create_dataset, create_loader, resolve_model_data_config
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.utils import AverageMeter

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if setting.timm_channels_last else torch.contiguous_format
    dataset = create_dataset("", root=str(folder / "birds" / "CUB_200_2011" / "images"))
    net = create_model(model, num_classes=12).to(device=device, memory_format=layout)
    config = resolve_model_data_config(net)
    loader = create_loader(
        dataset,
        input_size=(3, options.image_size, options.image_size),
        batch_size=options.batch_size,
        is_training=True,
        scale=(0.08, 1.0),
        hflip=0.5,
        color_jitter=None,
        interpolation="bilinear",
        mean=config["mean"],
        std=config["std"],
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        device=device,
    )
    optimizer = create_optimizer_v2(net, opt="sgd", lr=1e-3, weight_decay=1e-4, momentum=0.9)
    schedule, _ = create_scheduler_v2(optimizer, num_epochs=10_000, updates_per_epoch=len(loader), step_on_epochs=False)
    criterion, losses = torch.nn.CrossEntropyLoss(), AverageMeter()

    def updates() -> Iterator[None]:
        done = 0
        while True:
            net.train()
            for images, labels in repeated(loader, part):
                images = images.contiguous(memory_format=layout)
                loss = criterion(net(images), labels)
                losses.update(loss.item(), len(labels))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                done += 1
                schedule.step_update(num_updates=done, metric=losses.avg)
                yield

    return chunks(updates(), device, options), "timm"


def chunks(updates: Iterator[None], device: torch.device, options: Any) -> Iterator[float]:
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    while True:
        wait()
        start = time.perf_counter()
        for _ in range(options.updates):
            next(updates)
        wait()
        yield options.updates * options.batch_size / (time.perf_counter() - start)
