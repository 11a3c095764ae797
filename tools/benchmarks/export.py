"""`python tools/benchmark.py export`: runs of every method as ONNX, held against torch on 300 pictures, and timed."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

summary = "every method to ONNX: largest logit difference, top-1 agreement, int8's loss, images/s beside torch"
METHODS = {"resnet": "", "bcnn": "--method.stage1-epochs 1", "dfl": "--method.filters 4", "dcl": "", "adience": ""}


def main(argv: list[str]) -> int:
    """Train a run per method on generated birds, export, compare, time; print a line of JSON for each."""
    parser = argparse.ArgumentParser(prog="benchmark.py export", description=summary)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parsed = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        for method in parsed.methods:
            print(json.dumps({"method": method, **_measure(Path(folder), method, parsed)}), flush=True)
    return 0


def _measure(folder: Path, method: str, parsed: argparse.Namespace) -> dict[str, object]:
    from finegrained_crl.export.exporting import ExportOptions, export_run
    from finegrained_crl.export.pictures import held_out_pictures
    from finegrained_crl.training.predictor import Predictor

    predictor = Predictor(_train(folder, method, parsed), device="cpu")
    sample = held_out_pictures(predictor, parsed.pictures)
    facts: dict[str, object] = {}
    for kind in ("float32", "int8"):
        out = folder / f"{method}-{kind}"
        checks = export_run(predictor, out, ExportOptions("onnx", int8=kind == "int8"), sample)
        facts[kind] = checks[kind].as_dict()
        facts[f"{kind} onnxruntime images/s"] = _speed(_session(out, parsed.threads), sample.pixels)
    return {**facts, "torch images/s": _speed(_torch(predictor, parsed.threads), sample.pixels)}


def _train(folder: Path, method: str, parsed: argparse.Namespace) -> Path:
    from finegrained_crl.cli.main import main as fgcrl
    from finegrained_crl_datasets.demo_birds import make_demo_birds

    data = folder / "birds"
    if not data.exists():
        make_demo_birds(data, num_classes=12, images_per_class=75, size=160)
    words = f"--backbone {parsed.backbone} --weights none --epochs {parsed.epochs} --batch-size 32 --workers 2"
    more = [*words.split(), "--image-size", str(parsed.image_size), *METHODS[method].split()]
    run = folder / method
    where = ["--dataset", "cub200", "--data", str(data / "CUB_200_2011"), "--method", method, "--out", str(run)]
    with open("/dev/null", "w") as nowhere:
        before, sys.stdout = sys.stdout, nowhere
        code = fgcrl(["finetune", *where, *more])
        sys.stdout = before
    if code:
        raise SystemExit(code)
    return run


def _session(folder: Path, threads: int) -> Callable[[np.ndarray], object]:
    from finegrained_crl.export.formats import onnx_session

    session = onnx_session(folder / "model.onnx", threads)
    return lambda pixels: session.run(None, {"pixels": pixels})


def _torch(predictor: object, threads: int) -> Callable[[np.ndarray], object]:
    import torch

    from finegrained_crl.export.network import scoring_network

    torch.set_num_threads(threads)
    network = scoring_network(predictor).to(memory_format=torch.channels_last)  # type: ignore[arg-type]

    def run(pixels: np.ndarray) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last))

    return run


def _speed(run: Callable[[np.ndarray], object], pixels: np.ndarray, repeats: int = 3) -> float:
    """Images per second of the fastest of some passes over all pictures in batches of 32."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        for i in range(0, len(pixels), 32):
            run(pixels[i : i + 32])
        seconds.append(time.perf_counter() - start)
    return round(len(pixels) / min(seconds[1:]), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
