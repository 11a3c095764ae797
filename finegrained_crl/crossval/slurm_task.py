"""`python -m finegrained_crl.crossval.slurm_task STUDY ..`: a task of an array, which runs its share of cells.

Its exit code says what the script does next: 143, it was asked to stop and wants to be queued again; 0, all is done, or
the study was cancelled; 1, a cell failed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from finegrained_crl.crossval.launch import Launcher
from finegrained_crl.crossval.machine import Machine, visible_gpus
from finegrained_crl.crossval.orders import CancelledError, Orders
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.processes import processes
from finegrained_crl.crossval.slurm import share_of
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.crossval.taking import Status
from finegrained_crl.crossval.worker import TERM_SECONDS, Worker
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.interruption import Interrupted, Interruption


def main(argv: list[str]) -> int:
    """Run the task's cells."""
    arguments = _parse(argv)
    try:
        return _run(arguments)
    except CancelledError as order:
        print(order, flush=True)
        return 0
    except FinegrainedError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    except Interrupted as stop:
        print("asked to stop: the cells have saved", flush=True)
        return 128 + stop.signal


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="slurm_task")
    parser.add_argument("study", type=Path)
    for name, kind in (("cells", Path), ("task", int), ("tasks", int), ("orders", int), ("jobs", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data-in", default="auto")
    parser.add_argument("--checkpoint-seconds", type=float, default=60.0)
    parser.add_argument("--accept-changed-data", action="store_true")
    parser.add_argument("--term", type=float, default=TERM_SECONDS)
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace) -> int:
    folder = StudyFolder(arguments.study)
    study = folder.read()
    names = arguments.cells.read_text(encoding="utf-8").split()
    chosen = set(share_of(names, arguments.task, arguments.tasks))
    cells = [cell for cell in study.cells if cell.name in chosen]
    machine = _machine(arguments)
    with Interruption(), processes(study.threads, machine.gpus) as starter:
        launcher = Launcher(
            *(folder, study, machine, starter, _tell, lambda: None),
            worker=Worker.here("slurm", arguments.term),
            cells=cells,
            orders=Orders(folder.folder, arguments.orders),
        )
        launcher.run()
    return 1 if launcher.failed else 0


def _machine(arguments: argparse.Namespace) -> Machine:
    gpus = visible_gpus() if arguments.device == "auto" else ()
    a = arguments
    return Machine(a.jobs, gpus, a.device, a.checkpoint_seconds, a.accept_changed_data, a.data_in, a.share)


def _tell(cell: Cell, status: Status) -> None:
    print(f"{cell.name}: {status.state}{': ' if status.reason else ''}{status.reason}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
