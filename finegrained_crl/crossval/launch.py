"""Running the cells of a study: each one a `fgcrl finetune` process (processes.py), several side by side, each with its
share of the machine.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.processes import CellProcess, Processes
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.run_options import DataIn

POLL_SECONDS = 0.2
State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Machine:
    """How cells share the machine.

    Attributes:
        jobs: cells side by side.
        gpus: ids for CUDA_VISIBLE_DEVICES, one cell after the other; empty: CPU.
        device: "auto" or "cpu", for `fgcrl finetune`.
        checkpoint_seconds: time between checkpoints within an epoch.
        accept_changed_data: let cells go on with data that changed since they began.
        data_in: where their pictures come from (`training/routes.py`).
    """

    jobs: int = 1
    gpus: tuple[str, ...] = ()
    device: str = "auto"
    checkpoint_seconds: float = 60.0
    accept_changed_data: bool = False
    data_in: DataIn = "auto"

    def gpu(self, slot: int) -> dict[str, str]:
        """The environment of the cell in a slot: its GPU."""
        return {"CUDA_VISIBLE_DEVICES": self.gpus[slot % len(self.gpus)]} if self.gpus else {}


@dataclass
class Status:
    """Where a cell stands.

    Attributes:
        state: waiting, running, done or failed.
        seconds: wall time of its process in this session; 0 where it was done before.
        reason: why it failed.
    """

    state: State = "waiting"
    seconds: float = 0.0
    reason: str = ""


@dataclass
class _Job:
    cell: Cell
    process: CellProcess
    slot: int
    begun: float = field(default_factory=time.monotonic)


class Launcher:
    """Runs what is missing of a study.

    Args:
        folder: where.
        study: what, as `StudyFolder.write` returned it.
        machine: how.
        processes: what starts them.
        tell: called with (cell, its status) whenever one changes.
        tick: called several times a second.
    """

    def __init__(
        self,
        folder: StudyFolder,
        study: Study,
        machine: Machine,
        processes: Processes,
        tell: Callable[[Cell, Status], None],
        tick: Callable[[], None],
    ) -> None:
        self.folder, self.study, self.machine, self.processes = folder, study, machine, processes
        self.tell, self.tick = tell, tick
        self.status = {cell.name: Status("done" if folder.run(cell).is_done else "waiting") for cell in study.cells}

    def run(self) -> None:
        """Run every cell that isn't done; a failed one doesn't stop the others. On an error or Ctrl-C all processes are
        ended.
        """
        waiting = [cell for cell in self.study.cells if self.status[cell.name].state != "done"]
        jobs: list[_Job] = []
        try:
            while waiting or jobs:
                free = set(range(self.machine.jobs)) - {job.slot for job in jobs}
                while waiting and free:
                    jobs.append(self._start(waiting.pop(0), free.pop()))
                time.sleep(POLL_SECONDS)
                for job in [job for job in jobs if job.process.poll() is not None]:
                    jobs.remove(job)
                    self._finish(job)
                self.tick()
        finally:
            _end(jobs)

    @property
    def failed(self) -> dict[str, str]:
        """Cell -> reason."""
        return {name: status.reason for name, status in self.status.items() if status.state == "failed"}

    def _start(self, cell: Cell, slot: int) -> _Job:
        log = self.folder.log(cell)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        words = ["--recipe", str(self.folder.recipe(cell)), "--out", str(self.folder.run(cell).folder), "--resume"]
        process = self.processes.start(["finetune", *words, *self._how()], log=log, own=self.machine.gpu(slot))
        self.status[cell.name] = Status("running")
        self.tell(cell, self.status[cell.name])
        return _Job(cell, process, slot)

    def _finish(self, job: _Job) -> None:
        seconds = time.monotonic() - job.begun
        code = job.process.wait()
        if code == 0 and self.folder.run(job.cell).is_done:
            status = Status("done", seconds)
        else:
            status = Status("failed", seconds, failure_reason(self.folder.log(job.cell), code))
        self.status[job.cell.name] = status
        self.tell(job.cell, status)

    def _how(self) -> list[str]:
        m = self.machine
        cores = max(1, available_cores() // m.jobs)
        workers = min(8, cores) if m.gpus else self.study.threads // 2
        words = ["--device", m.device, "--data-in", m.data_in, "--workers", str(workers)]
        words += ["--checkpoint-seconds", str(m.checkpoint_seconds)]
        return [*words, "--accept-changed-data"] if m.accept_changed_data else words


def _end(jobs: list[_Job]) -> None:
    """Ask all cells to save and stop; those that don't within the patience are killed."""
    for job in jobs:
        job.process.terminate()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for job in jobs:
        try:
            job.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            job.process.kill()
            job.process.wait()


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


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> tuple[str, ...]:
    """Ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return tuple(named or map(str, range(torch.cuda.device_count()))) if torch.cuda.is_available() else ()


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
