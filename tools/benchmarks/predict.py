"""`python tools/benchmark.py predict`: ten thousand pictures of which fifty are broken, through `fgcrl predict`."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

summary = "fgcrl predict on many pictures with broken ones between them: speed against evaluation's, memory over time"
ROOT = Path(__file__).resolve().parents[2]


def main(argv: list[str]) -> int:
    """Train a small run, evaluate and predict the same pictures, print what was measured as JSON."""
    parser = argparse.ArgumentParser(prog="benchmark.py predict", description=summary)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--bad", type=int, default=50)
    parser.add_argument("--pixels", type=int, default=256, help="side of a picture")
    parser.add_argument("--image-size", type=int, default=64, help="side of the network's input")
    parser.add_argument("--backbone", default="test_resnet")
    parser.add_argument("--workers", type=int, default=-1)
    parser.add_argument("--repeats", type=int, default=1, help="of evaluation and prediction, one after the other")
    parsed = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(_measure(Path(folder), parsed), indent=2))
    return 0


def _measure(folder: Path, parsed: argparse.Namespace) -> dict[str, object]:
    random = np.random.default_rng(0)
    _draw(folder / "train", 8, parsed.pixels, random)
    _draw(folder / "many", (parsed.images - parsed.bad) // 2, parsed.pixels, random)
    words = f"--backbone {parsed.backbone} --weights none --epochs 1 --batch-size 8 --image-size {parsed.image_size}"
    _fgcrl("finetune", "--data", folder / "train", *words.split(), "--workers", 0, "--out", folder / "run")
    speeds = _speeds(folder, parsed)
    _spoil(folder / "many", parsed.bad, random)
    out = folder / "preds.csv"
    words = ["predict", folder / "run", folder / "many", "--out", out, "--workers", parsed.workers]
    seconds, memory, code = _fgcrl(*words, may_fail=True)
    return {"images_per_second": speeds, "with_bad_files": {"seconds": round(seconds, 1), **_facts(out, memory, code)}}


def _speeds(folder: Path, parsed: argparse.Namespace) -> dict[str, list[float]]:
    """Training-time evaluation and prediction of the same good pictures, in turns, start-up left out."""
    from finegrained_crl.cli import predict
    from finegrained_crl.data.loading import Pictures, default_workers
    from finegrained_crl.training.assembly import read_records
    from finegrained_crl.training.evaluate import evaluate
    from finegrained_crl.training.inputs import find_inputs
    from finegrained_crl.training.predictor import load_run

    predictor = load_run(folder / "run")
    records = read_records(predictor.recipe.replace(data=str(folder / "many")))
    pictures, rows = Pictures(records, predictor.transform, convert=False), np.arange(len(records))
    workers = parsed.workers if parsed.workers >= 0 else default_workers(on_gpu=False)
    asked = [str(folder / "run"), str(folder / "many"), "--out", str(folder / "speed.csv"), "--workers", str(workers)]
    arguments = predict._parser().parse_args(asked)
    inputs = find_inputs(arguments.paths)

    def evaluation() -> None:
        evaluate(predictor.trainee, pictures, rows, predictor.scorer, batch_size=32, workers=workers)

    def prediction() -> None:
        predict._classify(predictor, predictor.answers(), inputs, arguments)

    speeds: dict[str, list[float]] = {}
    for _ in range(parsed.repeats):
        for name, work in (("evaluation", evaluation), ("prediction", prediction)):
            start, cpu = time.perf_counter(), _cpu_seconds()
            work()
            speeds.setdefault(name, []).append(round(len(rows) / (time.perf_counter() - start), 1))
            speeds.setdefault(f"{name} per second of CPU", []).append(round(len(rows) / (_cpu_seconds() - cpu), 1))
    return speeds


def _cpu_seconds() -> float:
    """Of this process and its ended loader processes: on a busy machine steadier than the clock."""
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in times)


def _draw(folder: Path, per_class: int, pixels: int, random: np.random.Generator) -> None:
    """JPEG files of two classes; soft noise, which compresses about like photographs."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            small = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(small).resize((pixels, pixels), Image.Resampling.BICUBIC).save(folder / name / f"{i}.jpg")


def _spoil(folder: Path, count: int, random: np.random.Generator) -> None:
    """Broken files between the others: cut off, empty, no picture."""
    good = sorted((folder / "a").glob("[0-9]*.jpg"))
    for i in range(count):
        content = good[int(random.integers(len(good)))].read_bytes()
        broken = [content[: len(content) // 3], b"", b"no picture"][i % 3]
        (folder / "ab"[i % 2] / f"bad{i}.jpg").write_bytes(broken)


def _facts(out: Path, memory: list[float], code: int) -> dict[str, object]:
    rows, errors = (sum(1 for _ in path.open()) - 1 for path in (out, out.with_suffix(".errors.csv")))
    begun = memory[len(memory) // 4 :]  # what loading libraries takes is no leak
    quarters = [round(max(part)) for part in np.array_split(np.array(begun), 3) if len(part)]
    return {"rows": rows, "errors": errors, "exit_code": code, "peak_megabytes_by_later_quarter": quarters}


def _fgcrl(*words: object, may_fail: bool = False) -> tuple[float, list[float], int]:
    """Run a command; its seconds, the memory of it and its processes (MB, ten times a second), its exit code."""
    paths = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "datasets")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    start, memory = time.perf_counter(), []
    command = [sys.executable, "-m", "finegrained_crl", *map(str, words)]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            memory.append(_megabytes(watched))
            time.sleep(0.1)
        told = process.stderr.read().decode() if process.stderr else ""
    if process.returncode and not may_fail:
        raise SystemExit(told)
    return time.perf_counter() - start, memory, process.returncode


def _megabytes(process: psutil.Process) -> float:
    total = 0.0
    try:
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss / 1e6
    except psutil.Error:
        pass
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
