"""The flags of `fgcrl crossval` that say how and where cells run; none of them changes a result."""

from __future__ import annotations

from typing import Any, Literal

from finegrained_crl.cli import parsing
from finegrained_crl.crossval.machine import Machine, visible_gpus
from finegrained_crl.crossval.slurm import ARRAY_LIMIT, Site
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.run_options import DataIn

FLAGS: tuple[tuple[str, Any, Any, str], ...] = (
    ("out", str | None, None, "folder of the study; --out alone goes on with the study that is there"),
    (
        "launcher",
        Literal["local", "ray", "slurm"],
        "local",
        "who starts cells: this process, Ray or Slurm (docs/cluster.md)",
    ),
    ("jobs", int, 0, "cells side by side [one per GPU, else 1]"),
    ("share", float, 0.0, "part of a GPU (of the machine, without one) that a cell takes, e.g. 0.25: four on each"),
    ("address", str, "", "a Ray cluster that is there: auto, HOST:PORT .. [Ray on this machine, for this study]"),
    ("scratch", str, "", "folder of each node in which Ray's cells run, copied into the study when they commit"),
    (
        "bring",
        Literal["shared", "results", "weights"],
        "shared",
        "where Ray's nodes don't share the study's folder: a cell's results, or weights too, come back from --scratch",
    ),
    ("slurm", list[str], [], "options of sbatch: partition=gpu gres=gpu:1 time=04:00:00 .."),
    ("array_limit", int, ARRAY_LIMIT, "most tasks of a Slurm array; more cells than that share tasks"),
    ("plan", bool, False, "show the plan and the expected time, run nothing"),
    ("cancel", bool, False, "ask all launchers of the study in --out, on any machine, to stop"),
    ("json", bool, False, "print as JSON"),
    ("device", str, "auto", "auto, or cpu"),
    ("checkpoint_seconds", float, 60.0, "time between checkpoints within an epoch"),
    ("data_in", DataIn, "auto", "pictures from 'files', or decoded once into 'memory' or onto the 'device'"),
    ("accept_changed_data", bool, False, "go on with data that changed; noted in results.json"),
)


def add_how(parser: parsing.SettingsParser) -> None:
    """Add the flags."""
    group = parser.add_argument_group("how to run (nothing here changes a result)")
    for name, hint, default, text in FLAGS:
        parsing.add_flag(group, name, hint, default, text)


def is_only_how(words: list[str]) -> bool:
    """Whether nothing is said of what is compared: the study that is there goes on."""
    own = {"--" + name.replace("_", "-") for name, *_ in FLAGS}
    return all(word.partition("=")[0] in own for word in words if word.startswith("--"))


def machine_of(parsed: Any) -> Machine:
    """How cells share this machine.

    Raises:
        FinegrainedError: a device, number or share that is none.
    """
    if parsed.device not in ("auto", "cpu"):
        raise FinegrainedError(
            f"--device must be auto or cpu, got {parsed.device}; choose GPUs with CUDA_VISIBLE_DEVICES"
        )
    gpus = visible_gpus() if parsed.device == "auto" else ()
    if parsed.jobs < 0 or parsed.jobs > 64:
        raise FinegrainedError(f"--jobs must be from 1 to 64, got {parsed.jobs}")
    if not parsed.checkpoint_seconds >= 0:  # NaN is no time either
        raise FinegrainedError(f"--checkpoint-seconds must not be negative, got {parsed.checkpoint_seconds}")
    jobs = parsed.jobs or max(1, len(gpus)) * cells_per_share(parsed.share)
    share = parsed.share or min(1.0, max(1, len(gpus)) / jobs)
    how = (parsed.checkpoint_seconds, parsed.accept_changed_data, parsed.data_in, share)
    return Machine(jobs, gpus, parsed.device, *how)


def cells_per_share(share: float) -> int:
    """How many cells fit on one card; 0 stands for a share that nobody gave.

    Raises:
        FinegrainedError: no share.

    >>> cells_per_share(0.25), cells_per_share(0.3), cells_per_share(0.0)
    (4, 3, 1)
    """
    if share and not 1 / 64 <= share <= 1:
        raise FinegrainedError(f"--share must be from 1/64 to 1 (0.25: four cells on a card), got {share}")
    return int(1 / share + 1e-9) if share else 1


def site_of(parsed: Any) -> Site:
    """What a Slurm cluster is to be told.

    Raises:
        FinegrainedError: options that are none, or given to another launcher than theirs.
    """
    if parsed.slurm and parsed.launcher != "slurm":
        raise FinegrainedError(f"--slurm {' '.join(parsed.slurm)}: these are for --launcher slurm; add it")
    is_apart = parsed.bring != "shared"
    if (parsed.address or parsed.scratch or is_apart) and parsed.launcher != "ray":
        raise FinegrainedError("--address, --scratch and --bring are for --launcher ray; add it")
    if is_apart and not parsed.scratch:
        raise FinegrainedError(f"--bring {parsed.bring}: cells run in a folder of their node; name it with --scratch")
    return Site.of(list(parsed.slurm), parsed.array_limit)
