"""What `auto` timed before on this machine: CACHE/speed/KEY.json, one file per network, sizes, machine and versions.

CACHE is $FINEGRAINED_CRL_CACHE, or ~/.cache/finegrained-crl. Removing the folder lets `auto` time again, as a file that
can't be read does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
from pathlib import Path

import torch

from finegrained_crl import files
from finegrained_crl.data.regular import status
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_options import Threads
from finegrained_crl.training.timing import Setting, Timing
from finegrained_crl.training.trainee import Trainee
from finegrained_crl.training.versions import versions

VARIABLE = "FINEGRAINED_CRL_CACHE"


def recall(trainee: Trainee, recipe: Recipe, device: torch.device, threads: Threads = 0) -> list[Timing]:
    """What was timed for the same network on the same machine, fastest first; empty where nothing was."""
    try:
        rows = files.read_json(_place(trainee, recipe, device, threads))["timings"]
        return [Timing(**row | {"setting": Setting(**row["setting"])}) for row in rows]
    except (FinegrainedError, KeyError, TypeError):
        return []


def remember(
    timings: list[Timing], trainee: Trainee, recipe: Recipe, device: torch.device, threads: Threads = 0
) -> None:
    """Keep what was timed; where nothing can be written, the next run times again."""
    rows = [dataclasses.asdict(timing) for timing in timings]
    with contextlib.suppress(FinegrainedError, ValueError):
        files.write_json(_place(trainee, recipe, device, threads), {"timings": rows})


def _place(trainee: Trainee, recipe: Recipe, device: torch.device, threads: Threads) -> Path:
    root = os.environ.get(VARIABLE) or Path.home() / ".cache" / "finegrained-crl"
    circumstances = _circumstances(trainee, recipe, device) | {"asked threads": threads}
    key = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()
    return Path(root) / "speed" / f"{key[:32]}.json"


def _circumstances(trainee: Trainee, recipe: Recipe, device: torch.device) -> dict[str, object]:
    """All that decides which combination is fastest, and whether its gradients are those of fp32."""
    on_gpu = device.type == "cuda"
    return {
        "network": _network(trainee),
        "weights": [recipe.weights, _version_of(Path(recipe.weights))],  # gradients of others may stray
        "method": recipe.method.as_dict(),
        "loss": recipe.loss.as_dict(),
        "sizes": [recipe.batch_size, recipe.image_size],
        "asked": [recipe.precision, recipe.memory_format, recipe.compile],
        "machine": [platform.machine(), torch.cuda.get_device_name(device) if on_gpu else _processor()],
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def _network(trainee: Trainee) -> str:
    """Names and shapes of all weights."""
    shapes = "".join(f"{name} {tuple(weight.shape)}\n" for name, weight in trainee.state_dict().items())
    return hashlib.sha256(shapes.encode()).hexdigest()


def _version_of(weights: Path) -> list[int]:
    """Size and time of a file of weights; nothing of a name such as "pretrained"."""
    state = status(weights)
    return [state.st_size, state.st_mtime_ns] if state else []


def _processor() -> str:
    """The CPU's name; `platform.processor` is empty on most Linux systems."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
