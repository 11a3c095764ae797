"""One cell, claimed, run and given back by the process that is asked for it, on whatever machine that is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finegrained_crl.crossval import scratch
from finegrained_crl.crossval.launch import end_in_time, failure_reason
from finegrained_crl.crossval.leases import End, Lease, Leases, Outcome
from finegrained_crl.crossval.processes import NOTHING, CellProcess, Processes
from finegrained_crl.training.run_folder import SUCCESSOR, RunFolder

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Order:
    """A cell to be run.

    Attributes:
        study: folder of the study.
        cell: name.
        over: number of its last lease, which is over; None: see for oneself.
        words: of `fgcrl finetune`, but for --recipe, --out and --resume.
        threads: of the cell.
        gpus: share of a card.
        scratch: folder of the node in which it runs, to be copied home when it commits; "": the study's own.
    """

    study: Path
    cell: str
    over: int | None
    words: tuple[str, ...]
    threads: int
    gpus: float = 0.0
    scratch: str = ""


def run_one(order: Order, leases: Leases, processes: Processes, own: Mapping[str, str] = NOTHING) -> End | None:
    """Claim a cell, run it, and say how that ended.

    Args:
        order: which.
        leases: of this worker, whose heart beats.
        processes: what starts it.
        own: of its environment.
    Returns:
        the end; None where another worker has the cell.
    """
    lease = leases.claim(order.cell, over=order.over)
    if lease is None:
        return None
    home = RunFolder(order.study / "cells" / order.cell)
    end = End("committed") if home.is_done else _run(order, lease, leases, processes, own)
    leases.end(lease, end)
    return end


def _run(order: Order, lease: Lease, leases: Leases, processes: Processes, own: Mapping[str, str]) -> End:
    home = RunFolder(order.study / "cells" / order.cell)
    run = RunFolder(scratch.place_of(Path(order.scratch), home.folder)) if order.scratch else home
    log = order.study / "logs" / f"{order.cell}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    recipe = order.study / "recipes" / f"{order.cell}.yaml"
    words = ["finetune", "--recipe", str(recipe), "--out", str(run.folder), "--resume", *order.words]
    begun = time.monotonic()
    process = processes.start(words, log=log, own={**own, SUCCESSOR: str(leases.successor(lease))})
    try:
        is_held = _wait(process, lease, leases, processes)
    except BaseException:  # this process is asked to stop: so is the cell, which saves
        end_in_time([process])
        leases.end(lease, End("released", "", time.monotonic() - begun, order.threads, order.gpus))
        raise
    code = process.wait()
    if run is not home and run.is_done and leases.holds(lease):
        scratch.bring_home(run.folder, home.folder)
    outcome: Outcome = "released" if not is_held else "committed" if code == 0 and home.is_done else "failed"
    reason = failure_reason(log, code) if outcome == "failed" else ""
    return End(outcome, reason, time.monotonic() - begun, order.threads, order.gpus)


def _wait(process: CellProcess, lease: Lease, leases: Leases, processes: Processes) -> bool:
    """Whether the lease was held until the process ended; without it, the process is killed."""
    while process.poll() is None:
        if not leases.holds(lease):
            process.kill()
            return False
        processes.wait_for_end(POLL_SECONDS)
    return True
