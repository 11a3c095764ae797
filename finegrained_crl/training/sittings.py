"""sittings.json: each process that worked on a run or study - its command, machine, source and memory.

For the record alone: no number depends on it, and two runs that are equal otherwise differ here.
"""

from __future__ import annotations

import functools
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError

NAME = "sittings.json"


def begin(folder: Path, device: str = "cpu") -> None:
    """Add this process to the folder's record."""
    sittings = read(folder)
    sittings.append(
        {
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["fgcrl", *sys.argv[1:]]),
            "machine": machine(device),
            "source": _source_of_this_process(),
        }
    )
    files.write_json(folder / NAME, {"sittings": sittings})


def end(folder: Path) -> None:
    """Say when this process's work was over, and the most memory that it had."""
    sittings = read(folder)
    if sittings:
        sittings[-1] |= {"ended": datetime.now(UTC).isoformat(timespec="seconds"), **peak_memory()}
        files.write_json(folder / NAME, {"sittings": sittings})


def read(folder: Path) -> list[dict[str, Any]]:
    """The processes so far, in order; none where nothing, or nothing sound, was kept."""
    if not (folder / NAME).is_file():
        return []
    try:
        sittings = files.read_json(folder / NAME).get("sittings")
    except FinegrainedError:  # a record of how, which must not keep a run from going on
        return []
    return [dict(one) for one in sittings if isinstance(one, dict)] if isinstance(sittings, list) else []


def machine(device: str) -> str:
    """Processor, cores, and the GPU that is used."""
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    text = f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    if device.startswith("cuda"):
        import torch

        text += f", {torch.cuda.get_device_name()}"
    return text


def source_state() -> str:
    """The commit of this package's source, and whether it was changed since; "" where it is no checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return ""
    return f"commit {commit}" + (", changed since" if _git(root, "status", "--porcelain", "-uno") else "")


@functools.cache  # a process has loaded its source once; two starts of git take as long as an update
def _source_of_this_process() -> str:
    return source_state()


def peak_memory() -> dict[str, int]:
    """MiB of the main memory, and of the GPU's where one was used."""
    import torch

    peak = {"peak_mib": _most_resident() // 2**20}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        peak["peak_gpu_mib"] = int(torch.cuda.max_memory_allocated()) // 2**20
    return peak


def _most_resident() -> int:
    """Bytes; where a system keeps no maximum, those of now."""
    import psutil

    try:
        import resource
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().rss)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
