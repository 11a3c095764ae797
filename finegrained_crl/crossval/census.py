"""Where a study stands, from its folder alone and without disturbing anybody: states, costs, the expected end."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finegrained_crl.crossval.leases import ENTRY, End, Lease, LeaseFiles
from finegrained_crl.crossval.study import Study, StudyFolder

STATES = ("committed", "running", "stale", "failed", "waiting")
State = Literal["committed", "running", "stale", "failed", "waiting"]
"""Stale: its worker is dead, or has been silent for its term; whoever looks next may take the cell."""


@dataclass(frozen=True)
class CellState:
    """Where a cell stands.

    Attributes:
        state: one of `STATES`.
        tries: how often it was taken.
        reason: why it failed.
        by: "host:pid (launcher)" of the worker that has it.
        running_seconds: for how long, by the worker's clock and this one's.
    """

    state: State
    tries: int = 0
    reason: str = ""
    by: str = ""
    running_seconds: float = 0.0


@dataclass(frozen=True)
class Census:
    """A study at one moment.

    Attributes:
        cells: name -> where it stands.
        ends: of all leases that ended.
        threads: of a cell.
    """

    cells: dict[str, CellState]
    ends: list[End]
    threads: int

    @property
    def counts(self) -> dict[str, int]:
        """State -> cells."""
        counted: Counter[str] = Counter(cell.state for cell in self.cells.values())
        return {state: counted[state] for state in STATES}

    @property
    def cell_seconds(self) -> float | None:
        """Mean time of the cells that were committed in one go or at last; None where there are none."""
        seconds = [end.seconds for end in self.ends if end.outcome == "committed" and end.seconds]
        return sum(seconds) / len(seconds) if seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Until the last cell ends, at as many side by side as now; None where nothing runs or nothing ended yet."""
        running = [cell.running_seconds for cell in self.cells.values() if cell.state == "running"]
        each, counts = self.cell_seconds, self.counts
        if not counts["waiting"] + counts["stale"] + len(running):
            return 0.0
        if each is None or not running:
            return None
        begun = sum(max(0.0, each - seconds) for seconds in running)
        return ((counts["waiting"] + counts["stale"]) * each + begun) / len(running)

    @property
    def cost(self) -> dict[str, float]:
        """Hours of cores and of cards that ended leases took, the cores of cells under way, and what failures took."""
        running = sum(cell.running_seconds for cell in self.cells.values() if cell.state == "running")
        cores = sum(end.seconds * end.threads for end in self.ends) + running * self.threads
        lost = sum(end.seconds * end.threads for end in self.ends if end.outcome == "failed")
        gpus = sum(end.seconds * end.gpus for end in self.ends)
        hours = {"core_hours": cores, "core_hours_of_failures": lost, "gpu_hours": gpus}
        return {name: seconds / 3600 for name, seconds in hours.items()}


def take_census(folder: StudyFolder, study: Study) -> Census:
    """Look at every cell.

    Args:
        folder: of the study.
        study: its plan.
    """
    claims, committed = _Claims(folder.folder), _committed(folder.folder)
    names = study.cell_names
    cells = {name: CellState("committed", claims.tries(name)) for name in names if name in committed}
    cells = {name: cells.get(name) or claims.state(name) for name in names}
    return Census(cells, [end for name in names for end in claims.ends(name)], study.threads)


class _Claims:
    """The folder of leases, read once."""

    def __init__(self, study: Path) -> None:
        self.files = LeaseFiles(study)
        self.numbers: dict[str, int] = {}
        self.ended: dict[str, dict[int, End]] = {}
        self.now = time.time()
        for cell, number, end in _leases(self.files):
            self.numbers[cell] = max(number, self.numbers.get(cell, 0))
            if end:
                self.ended.setdefault(cell, {})[number] = end
        self.beats = _beats(self.files.workers)
        self.clock = _clock_of(self.files.workers)

    def tries(self, cell: str) -> int:
        """How often a cell was taken."""
        return self.numbers.get(cell, 0)

    def ends(self, cell: str) -> list[End]:
        """How its leases ended."""
        return list(self.ended.get(cell, {}).values())

    def state(self, cell: str) -> CellState:
        """Where a cell stands that is not committed."""
        tries = self.tries(cell)
        end = self.ended.get(cell, {}).get(tries)
        if end:
            return CellState("failed" if end.outcome == "failed" else "waiting", tries, end.reason)
        return self._under_way(self.files.read(cell, tries)) if tries else CellState("waiting")

    def _under_way(self, lease: Lease) -> CellState:
        worker = lease.worker
        beat = self.beats.get(worker.name, float("-inf"))
        is_stale = worker.is_surely_dead or self.clock - beat > worker.term
        by = f"{worker.host}:{worker.pid} ({worker.launcher})"
        return CellState("stale" if is_stale else "running", lease.number, "", by, max(0.0, self.now - lease.since))


def _leases(files: LeaseFiles) -> Iterator[tuple[str, int, End | None]]:
    """Cell, number and end of all leases."""
    try:
        names = os.listdir(files.folder)
    except FileNotFoundError:
        return
    for name in names:
        match = ENTRY.fullmatch(name)
        if match:
            number = int(match[2])
            yield match[1], number, files.read_end(match[1], number) if match[3] else None


def _committed(study: Path) -> set[str]:
    cells = os.path.join(study, "cells")
    try:
        names = os.listdir(cells)
    except FileNotFoundError:
        return set()
    return {name for name in names if os.path.exists(f"{cells}/{name}/COMMITTED")}


def _beats(workers: Path) -> dict[str, float]:
    """Worker -> when it last beat, by the clock of the folder's machine."""
    try:
        return {entry.name: entry.stat().st_mtime for entry in os.scandir(workers) if entry.name[0] != "."}
    except OSError:
        return {}


def _clock_of(folder: Path) -> float:
    """Now, by the clock that dates the folder's files; that of this machine where nothing may be written there."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


def as_plain(census: Census) -> dict[str, object]:
    """A census as plain values."""
    cells = {name: {k: v for k, v in vars(cell).items() if v or k == "state"} for name, cell in census.cells.items()}
    left = census.seconds_left
    end = None if left is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + left))
    return {
        "counts": census.counts,
        "expected_seconds": left,
        "expected_end": end,
        "seconds_per_cell": census.cell_seconds,
        "cost": census.cost,
        "cells": cells,
    }
