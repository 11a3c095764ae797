"""What `fgcrl retrofit run` costs: at start, and per training step against cross-entropy and against CRL edited in by
hand."""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
from finegrained_crl.cli.show import print_table
from finegrained_crl.retrofit import retrofit

summary = "overhead of `fgcrl retrofit run`: start and step"
ROOT = Path(__file__).resolve().parents[2]
START = (
    "import torch\nz = torch.zeros(2, 3, requires_grad=True)\ntorch.nn.functional.cross_entropy(z, torch.tensor([0,"
    " 1])).backward()\n"
)


def main(argv):
    parser = argparse.ArgumentParser(prog="tools/benchmark.py retrofit", description=summary)
    parser.add_argument("--starts", type=int, default=7, help="starts of each kind")
    parser.add_argument("--steps", type=int, default=40, help="training steps of each kind and model")
    parser.add_argument("--calls", type=int, default=20, help="rounds of 200 calls of the loss alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    found = {"start_seconds": starts(options.starts)}
    found["call"] = calls(options.calls)
    found["memory_mb"] = memory()
    for name, (net, x, y) in models().items():
        found[name] = steps(net, x, y, options.steps)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    start, call, megabytes = found.pop("start_seconds"), found.pop("call"), found.pop("memory_mb")
    print(
        f"loss and its backward pass, 16 x 200: CRL by hand {call['hand']:.0f} us, retrofitted {call['off']:.0f} us"
        f" without and {call['on']:.0f} us with the account of gradients; {call['over_hand']:.2f} x by hand"
    )
    print(
        f"first batch of 155 MB of logits, peak beyond them: CRL by hand {megabytes['hand']:.0f} MB, retrofitted"
        f" {megabytes['retrofit']:.0f} MB"
    )
    print(
        f"start: plain {start['plain']:.2f} s, retrofitted {start['retrofit']:.2f} s, difference"
        f" {start['difference']:+.2f} s"
    )
    rows = [
        (
            name,
            *(f"{1000 * f[k]:.2f}" for k in ("ce", "hand", "retrofit")),
            f"{f['over_ce']:+.2%}",
            f"{f['over_hand']:+.2%}",
        )
        for name, f in found.items()
    ]
    print_table(
        "milliseconds a step", ("model", "CE", "CRL by hand", "retrofitted", "over CE", "over CRL by hand"), rows
    )
    return 0


def calls(rounds):
    """Microseconds of the loss with its backward pass, by hand, and retrofitted with and without the account."""
    z, y = torch.randn(16, 200, requires_grad=True), torch.randint(200, (16,))
    optimizer, function = torch.optim.SGD([z], lr=0.0), torch.nn.functional.cross_entropy
    times = {"hand": [], "on": [], "off": []}

    def taken(compute):
        start = time.perf_counter()
        for _ in range(200):
            compute(z, y).backward()
        return (time.perf_counter() - start) / 200 * 1e6

    with retrofit() as block:
        dispatcher = block._instruments.dispatcher
        watch = dispatcher.account.watch
        function(z, y).backward()
        optimizer.step()
        for _ in range(rounds):
            for kind in random.sample(list(times), 3):
                dispatcher.account.watch = watch if kind != "off" else lambda *_: None
                times[kind].append(taken(competing_ratio_loss if kind == "hand" else function))
                optimizer.step()
    found = {kind: statistics.median(each) for kind, each in times.items()}
    found["over_hand"] = statistics.median(a / b for a, b in zip(times["on"], times["hand"], strict=True))
    return found


MEMORY = """
import contextlib, resource, sys, torch
from torch.nn.functional import cross_entropy
from finegrained_crl import competing_ratio_loss
from finegrained_crl.retrofit import retrofit
z, y = torch.randn(16, 200, 110, 110, requires_grad=True), torch.randint(200, (16, 110, 110))
cross_entropy(torch.randn(2, 3, requires_grad=True), torch.tensor([0, 1])).backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with retrofit() if sys.argv[1] == "retrofit" else contextlib.nullcontext():
    (cross_entropy if sys.argv[1] == "retrofit" else competing_ratio_loss)(z * 1.0, y).backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def memory():
    """Peak memory of one step on 155 MB of logits, by hand and retrofitted (first batch and proof included)."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "plugins", ROOT / "datasets")))}
    commands = {kind: [sys.executable, "-c", MEMORY, kind] for kind in ("hand", "retrofit")}
    return {
        kind: float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)
        for kind, command in commands.items()
    }


def models():
    """A real network's step, and one so small that nothing but the loss is left."""
    import timm

    torch.manual_seed(0)
    return {
        "resnet18, 16 x 96 px": (
            timm.create_model("resnet18", num_classes=200),
            torch.randn(16, 3, 96, 96),
            torch.randint(200, (16,)),
        ),
        "linear 16 x 32": (nn.Linear(32, 200), torch.randn(16, 32), torch.randint(200, (16,))),
    }


def steps(net, x, y, count):
    """Interleaved steps of three kinds; medians, and the median of the paired ratios."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    criteria = {"ce": nn.CrossEntropyLoss(), "hand": CompetingRatioLoss(), "retrofit": nn.CrossEntropyLoss()}
    times, function = {kind: [] for kind in criteria}, torch.nn.functional.cross_entropy
    without = function.__code__
    with retrofit() as block:
        code = {"ce": without, "hand": without, "retrofit": function.__code__}
        for number in range(count + 3):
            for kind in random.sample(list(criteria), 3):
                function.__code__ = code[
                    kind
                ]  # the hook in place for one kind only; what it knows about the site stays
                start = time.perf_counter()
                loss = criteria[kind](net(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                taken = time.perf_counter() - start
                if number >= 3:  # the first ones measure the site, and warm caches
                    times[kind].append(taken)
        function.__code__ = code["retrofit"]
    assert block.replaced == count + 3
    found = {kind: statistics.median(each) for kind, each in times.items()}
    for base in ("ce", "hand"):
        found[f"over_{base}"] = statistics.median(
            a / b - 1 for a, b in zip(times["retrofit"], times[base], strict=True)
        )
    return found


def starts(count):
    """Whole processes: a program that imports torch and computes one loss."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "plugins", ROOT / "datasets")))}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "start.py").write_text(START)
        kinds = {
            "plain": [sys.executable, "start.py"],
            "retrofit": [sys.executable, "-m", "finegrained_crl", "retrofit", "run", "--", "python", "start.py"],
        }
        times = {kind: [] for kind in kinds}
        for _ in range(count):
            for kind, command in kinds.items():
                start = time.perf_counter()
                subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
                times[kind].append(time.perf_counter() - start)
    plain, ours = (statistics.median(times[kind]) for kind in ("plain", "retrofit"))
    return {
        "plain": plain,
        "retrofit": ours,
        "difference": statistics.median(b - a for a, b in zip(times["plain"], times["retrofit"], strict=True)),
    }
