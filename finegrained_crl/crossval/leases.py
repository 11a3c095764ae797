"""Leases: which worker runs which cell, in files that any number of machines may share.

STUDY/claims/CELL.3       the third lease of a cell: whose it is
STUDY/claims/CELL.3.end   how it ended: committed, failed (with the reason) or released, and after how long

The lease with the highest number counts. Taking a cell is making the file with the next number, which one worker alone
can do (`files.create_bytes`); nothing is ever changed, renamed or deleted, so that a worker that slept through its loss
finds it in the folder, and can't undo it. A lease may be followed when it has ended, when its worker was a process of
this machine that is gone, or when its worker has been silent for its term.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finegrained_crl import files
from finegrained_crl.crossval.worker import Clock, Heart, Watch, Worker, seconds_since_boot

FOLDER = "claims"
WORKERS = "workers"
Outcome = Literal["committed", "failed", "released"]


@dataclass(frozen=True)
class Lease:
    """A cell in the hands of a worker.

    Attributes:
        cell: its name.
        number: how often the cell was taken, this time included.
        worker: who has it.
        since: seconds since 1970 by the worker's clock, for people.
    """

    cell: str
    number: int
    worker: Worker
    since: float = 0.0

    @property
    def file(self) -> str:
        """Its name in the folder."""
        return f"{self.cell}.{self.number}"


@dataclass(frozen=True)
class End:
    """How a lease ended.

    Attributes:
        outcome: committed, failed or released (stopped, and to be gone on with).
        reason: of a failure.
        seconds: that the cell ran in this lease.
        threads: that it ran on.
        gpus: share of a card that it had.
    """

    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    threads: int = 1
    gpus: float = 0.0


class LeaseFiles:
    """The folder of leases, read."""

    def __init__(self, study: Path) -> None:
        self.folder = study / FOLDER
        self.workers = self.folder / WORKERS

    def numbers(self) -> dict[str, tuple[int, bool]]:
        """Cell -> (highest number, whether that lease has ended), in one look at the folder."""
        latest: dict[str, tuple[int, bool]] = {}
        for cell, number, ended in self._entries():
            latest[cell] = max(latest.get(cell, (0, False)), (number, ended))
        return latest

    def read(self, cell: str, number: int) -> Lease:
        """A lease that is there; where it was cut off, one of a worker whom nobody will hear."""
        stored = _read(self.folder / f"{cell}.{number}")
        return Lease(cell, number, Worker.from_dict(stored.get("worker", {})), float(stored.get("since", 0.0)))

    def read_end(self, cell: str, number: int) -> End | None:
        """How a lease ended; None where it has not."""
        stored = _read(self.folder / f"{cell}.{number}.end")
        return End(**stored) if stored else None

    def _entries(self) -> Iterator[tuple[str, int, bool]]:
        try:
            names = [entry.name for entry in os.scandir(self.folder)]
        except FileNotFoundError:
            return
        for name in names:
            match = ENTRY.fullmatch(name)
            if match:
                yield match[1], int(match[2]), match[3] is not None


ENTRY = re.compile(r"([^.].*)\.(\d+)(\.end)?")


class Leases(LeaseFiles):
    """Leases as one worker takes and gives them.

    Args:
        study: folder of the study.
        heart: of the worker; it must beat while leases are held.
        clock: in seconds.
        known: cell -> number of its last lease now; None: look.
    """

    def __init__(
        self, study: Path, heart: Heart, clock: Clock = seconds_since_boot, *, known: dict[str, int] | None = None
    ) -> None:
        super().__init__(study)
        self.heart, self.watch = heart, Watch(self.workers, clock)
        looked = {cell: number for cell, (number, _) in self.numbers().items()} if known is None else known
        self.at_start = looked
        self._known = dict(self.at_start)

    def claim(self, cell: str, *, over: int | None = None) -> Lease | None:
        """Take a cell.

        Args:
            cell: its name.
            over: number of a lease that is known to be over, and to be the last; None: see for oneself.
        Returns:
            the lease; None while another worker has the cell.
        """
        number = self.latest(cell) if over is None else over
        if over is None and number and not self.is_over(cell, number):
            return None
        lease = Lease(cell, number + 1, self.heart.worker, time.time())
        text = json.dumps({"worker": lease.worker.as_dict(), "since": lease.since})
        # Where it can't be made, another worker was faster.
        return lease if files.create_bytes(self.folder / lease.file, text.encode()) else None

    def end(self, lease: Lease, end: End) -> None:
        """Give a cell back; where another worker took it meanwhile, this says so of the own lease alone."""
        files.create_bytes(self.folder / f"{lease.file}.end", json.dumps(vars(end)).encode())

    def holds(self, lease: Lease) -> bool:
        """Whether the cell is still this worker's to run."""
        return not self.heart.is_late and not self.successor(lease).exists()

    def successor(self, lease: Lease) -> Path:
        """The file that is there once another worker has taken the cell."""
        return self.folder / f"{lease.cell}.{lease.number + 1}"

    def latest(self, cell: str) -> int:
        """The highest number of a cell's leases; 0 where it has none."""
        number = self._known.get(cell, 0)
        while (self.folder / f"{cell}.{number + 1}").exists():
            number += 1
        self._known[cell] = number
        return number

    def is_over(self, cell: str, number: int) -> bool:
        """Whether a lease may be followed by another."""
        if (self.folder / f"{cell}.{number}.end").exists():
            return True
        worker = self.read(cell, number).worker
        return worker.is_surely_dead or self.watch.is_silent(worker)

    def failure_meanwhile(self, cell: str) -> str | None:
        """Why another worker failed at a cell since this one began; failures of before are tried again."""
        number = self.latest(cell)
        end = self.read_end(cell, number) if number > self.at_start.get(cell, 0) else None
        return end.reason if end and end.outcome == "failed" else None


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
