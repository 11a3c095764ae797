"""Running the cells of a study: each one a `fgcrl finetune` process (processes.py), several side by side, each with its
share of the machine.
"""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from finegrained_crl.crossval.leases import End, Lease, LeaseFiles, Leases, Outcome
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.orders import Orders
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.processes import CellProcess, Processes
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.crossval.taking import Status, Taking
from finegrained_crl.crossval.worker import Heart, Worker
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.run_folder import SUCCESSOR

POLL_SECONDS = 0.2


class StudyLauncher(ABC):
    """What runs the missing cells of a study, whatever starts them: `Launcher` here, `RayLauncher` on a cluster.

    Slurm's work is done by a `Launcher` in each task of its array.

    Args:
        folder: where.
        study: what, as `StudyFolder.write` returned it.
        machine: how.
        heart: of who claims the cells.
        tell: called with (cell, its status) whenever one changes.
        tick: called several times a second.
        cells: those of the study that this launcher may run; None: all.
        orders: to stop, that others give; None: those from now on.
    """

    def __init__(
        self,
        folder: StudyFolder,
        study: Study,
        machine: Machine,
        heart: Heart,
        tell: Callable[[Cell, Status], None],
        tick: Callable[[], None],
        cells: list[Cell] | None = None,
        orders: Orders | None = None,
    ) -> None:
        self.folder, self.study, self.machine, self.heart, self.tick = folder, study, machine, heart, tick
        self.taking = Taking(folder, study.cells if cells is None else cells, Leases(folder.folder, heart), tell)
        self.orders = orders or Orders(folder.folder)

    @property
    def status(self) -> dict[str, Status]:
        """Cell -> where it stands."""
        return self.taking.status

    @property
    def failed(self) -> dict[str, str]:
        """Cell -> reason."""
        return {name: status.reason for name, status in self.status.items() if status.state == "failed"}

    @abstractmethod
    def run(self) -> None:
        """Run what is missing, until nothing is."""


@dataclass
class _Job:
    cell: Cell
    lease: Lease
    process: CellProcess
    slot: int
    begun: float = field(default_factory=time.monotonic)


class Launcher(StudyLauncher):
    """Runs what is missing of a study, beside other launchers that do the same: each cell is one worker's at a time
    (leases.py).

    Args:
        folder, study, machine, tell, tick, cells, orders: as for `StudyLauncher`.
        processes: what starts the cells.
        worker: who this is; None: this process.
    """

    def __init__(
        self,
        folder: StudyFolder,
        study: Study,
        machine: Machine,
        processes: Processes,
        tell: Callable[[Cell, Status], None],
        tick: Callable[[], None],
        *,
        worker: Worker | None = None,
        cells: list[Cell] | None = None,
        orders: Orders | None = None,
    ) -> None:
        heart = Heart(LeaseFiles(folder.folder).workers, worker or Worker.here())
        super().__init__(folder, study, machine, heart, tell, tick, cells, orders)
        self.processes = processes

    def run(self) -> None:
        """Run every cell that isn't done; a failed one doesn't stop the others. On an error or Ctrl-C all processes are
        ended.

        Raises:
            FinegrainedError: the study was cancelled.
        """
        if all(status.state == "done" for status in self.status.values()):
            return
        jobs: list[_Job] = []
        with self.heart:
            try:
                while jobs or not self.taking.is_finished:
                    self.orders.check()
                    self._drop_lost(jobs)
                    self._fill(jobs)
                    self._wait(jobs)
                    self._reap(jobs)
                    self.taking.look()
                    self.tick()
            finally:
                _end(jobs)
                for job in jobs:
                    self._finish(job, stopped=True)

    def _fill(self, jobs: list[_Job]) -> None:
        free = set(range(self.machine.jobs)) - {job.slot for job in jobs}
        while free:
            taken = self.taking.next()
            if taken is None:
                return
            jobs.append(self._start(*taken, free.pop()))

    def _wait(self, jobs: list[_Job]) -> None:
        if jobs:
            self.processes.wait_for_end(POLL_SECONDS)
        elif not self.taking.is_finished:
            time.sleep(POLL_SECONDS)

    def _reap(self, jobs: list[_Job]) -> None:
        for job in [job for job in jobs if job.process.poll() is not None]:
            jobs.remove(job)
            self._finish(job)

    def _drop_lost(self, jobs: list[_Job]) -> None:
        """End cells that others may think dead, or have taken: this machine slept, or could not reach the folder."""
        lost = [job for job in jobs if not self.taking.leases.holds(job.lease)]
        for job in lost:
            job.process.kill()
            job.process.wait()
            jobs.remove(job)
            self._finish(job, stopped=True)

    def _start(self, cell: Cell, lease: Lease, slot: int) -> _Job:
        log = self.folder.log(cell)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        words = ["--recipe", str(self.folder.recipe(cell)), "--out", str(self.folder.run(cell).folder), "--resume"]
        own = {**self.machine.gpu(slot), SUCCESSOR: str(self.taking.leases.successor(lease))}
        how = self.machine.words(self.study.threads)
        process = self.processes.start(["finetune", *words, *how], log=log, own=own)
        return _Job(cell, lease, process, slot)

    def _finish(self, job: _Job, *, stopped: bool = False) -> None:
        seconds, code = time.monotonic() - job.begun, job.process.wait()
        outcome: Outcome = "failed"
        if self.folder.run(job.cell).is_done and (stopped or code == 0):
            outcome = "committed"
        elif stopped or self.taking.is_locked(job.cell):  # a process that outlived its worker still trains there
            outcome = "released"
        reason = failure_reason(self.folder.log(job.cell), code) if outcome == "failed" else ""
        gpus = self.machine.share if self.machine.gpus else 0.0
        self.taking.give_back(job.cell, job.lease, End(outcome, reason, seconds, self.study.threads, gpus))


def _end(jobs: list[_Job]) -> None:
    end_in_time([job.process for job in jobs])


def end_in_time(cells: list[CellProcess]) -> None:
    """Ask cells to save and stop; those that don't within the patience are killed."""
    for cell in cells:
        cell.terminate()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for cell in cells:
        try:
            cell.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            cell.kill()
            cell.wait()


PATIENCE_SECONDS = 30.0
"""For the step under way and a checkpoint."""


def expected_seconds(folder: StudyFolder, study: Study, machine: Machine, processes: Processes) -> float:
    """Wall time that the missing cells will take: from finished cells where there are some, else from a dry run of one.

    Raises:
        FinegrainedError: the dry run failed; its reason.
    """
    missing = [cell for cell in study.cells if not folder.run(cell).is_done]
    finished = [_seconds(folder, cell) for cell in study.cells if folder.run(cell).is_done]
    each = sum(finished) / len(finished) + STARTUP_SECONDS if finished else 0.0
    if missing and not finished:
        each = _dry_run_seconds(folder, missing[0], machine, processes)
    return -(-len(missing) // machine.jobs) * each


STARTUP_SECONDS = 8.0
"""Of a cell that starts afresh: imports, building the model, reading lists, evaluation; a forked one takes less."""


def failure_reason(log: Path, returncode: int) -> str:
    """Why a cell failed: the last line that it wrote, or the signal that ended it."""
    if returncode < 0:
        hint = " (out of memory, or killed by hand)" if -returncode == signal.SIGKILL else ""
        return f"ended by signal {signal.Signals(-returncode).name}{hint}"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("fgcrl finetune: error: ") if lines else f"exit code {returncode}, no message"


def _seconds(folder: StudyFolder, cell: Cell) -> float:
    with folder.run(cell).epochs.open(encoding="utf-8", newline="") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))


def _dry_run_seconds(folder: StudyFolder, cell: Cell, machine: Machine, processes: Processes) -> float:
    begun = time.monotonic()
    words = ["--recipe", str(folder.recipe(cell)), "--dry-run", "--json", "--device", machine.device, "--workers", "0"]
    with tempfile.TemporaryDirectory(prefix="fgcrl-dry-run-") as elsewhere:
        log, output = Path(elsewhere) / "log", Path(elsewhere) / "output"
        log.touch()
        output.touch()
        code = processes.start(["finetune", *words], log=log, output=output, own=machine.gpu(0)).wait()
        if code:
            raise FinegrainedError(failure_reason(log, code))
        return float(json.loads(output.read_text())["expected_seconds"]) + (time.monotonic() - begun)
