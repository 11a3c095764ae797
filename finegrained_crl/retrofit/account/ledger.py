"""What one process saw, written so that a kill loses nothing: facts to a JSON file when they change, counts to mapped
memory.

Every process of the program (workers, ranks, children of children) writes its own pair of files into one folder; the
parent adds them up. A count is one store into a shared mapping, which the kernel keeps whatever happens to the process.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack, cast

from finegrained_crl.retrofit.sites.rows import Counters, Facts, Part, Row

SLOTS = 4096
COLUMNS = ("count", "flowed", "updated", "skipped", "zeroed", "looked")
"""Counters of a row: calls; those that a backward pass went through to the parameters; those whose gradients took part
in an update; those that the program dropped because their value was not finite; those whose gradients, finite ones, it
set to zero before any update. The last one counts backward passes, as far as they were looked at: those of replaced
calls, and of another loss (a row of kind "other") those that no replaced call of its layer takes part in."""


class Ledger:
    """Rows of facts with counters, for one process and its forks.

    Args:
        folder: where the files go; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, self._lock = folder, threading.RLock()
        self._start_afresh()
        if folder is not None:
            this = weakref.WeakMethod(self._start_afresh)  # Python has no way to take it back
            os.register_at_fork(after_in_child=lambda: _call(this()))

    def _start_afresh(self) -> None:
        """A fork begins with rows and counts of its own; the parent's are in the parent's file."""
        self.rows: list[Row] = []
        self.facts: Facts = {}
        self._name = f"{os.getpid()}-{time.monotonic_ns()}"  # a process that replaces itself by exec keeps its number
        self.generation = getattr(self, "generation", 0) + 1
        self._index: dict[Any, int] = {}
        self._counts: Any = None
        self._lock = threading.RLock()

    def row(self, **facts: Unpack[Row]) -> int:
        """The number of the row with these facts, made on first sight.

        Args:
            facts: what identifies the row, its `kind` among it.
        """
        key = json.dumps(facts, sort_keys=True)
        with self._lock:
            if key not in self._index and len(self.rows) < SLOTS:
                self._index[key] = len(self.rows)
                self.rows.append(facts)
                self.save()
            return self._index.get(key, len(self.rows) - 1)

    def add(self, row: int, **facts: Unpack[Row]) -> None:
        """Write more facts into a row."""
        with self._lock:
            self.rows[row].update(facts)
            self.save()

    def state(self, **facts: Unpack[Facts]) -> None:
        """Write facts about the whole process."""
        with self._lock:
            self.facts.update(facts)
            self.save()

    def count(self, row: int, column: int = 0, times: int = 1) -> None:
        """Add to one of a row's counters.

        Args:
            row: its number.
            column: which of `COLUMNS`.
            times: how much.
        """
        if self._counts is None:
            self._counts = self._map()
        self._counts[column * SLOTS + row] += times

    def counts(self) -> list[Counters]:
        """The counters of every row."""
        return [_columns(self._counts or (), row) for row in range(len(self.rows))]

    def _map(self) -> Any:
        if self._folder is None:
            return [0] * (SLOTS * len(COLUMNS))
        try:
            with (self._folder / f"{self._name}.counts").open("w+b") as file:
                size = 8 * SLOTS * len(COLUMNS)
                file.truncate(size)
                return memoryview(mmap.mmap(file.fileno(), size)).cast("q")
        except OSError:
            self._folder = None
            return [0] * (SLOTS * len(COLUMNS))

    def save(self) -> None:
        """Write the rows at once, beside the counts."""
        if self._folder is None or not self._folder.is_dir():
            return
        path = self._folder / f"{self._name}.json"
        partial = path.with_suffix(f".{threading.get_ident()}.partial")
        try:
            partial.write_text(json.dumps({"pid": os.getpid(), "rows": self.rows, "facts": self.facts}))
            os.replace(partial, path)
        except OSError:
            self._folder = None  # a full disk, or a parent that is gone, must not stop the program


def read_ledgers(folder: Path) -> list[Part]:
    """What every process wrote: `rows` with their `count`, and `facts`; a file that is damaged is left out."""
    entries: list[Part] = []
    for path in sorted(folder.glob("*-*.json"), key=lambda p: p.stat().st_mtime_ns):
        try:
            part = json.loads(path.read_text())
        except ValueError:
            continue
        counts = _read_counts(path.with_suffix(".counts"))
        for number, row in enumerate(part["rows"]):
            row.update(_columns(counts, number))
        entries.append(part)
    return entries


def _columns(counts: Sequence[int], row: int) -> Counters:
    places = range(row, len(COLUMNS) * SLOTS, SLOTS)
    numbers = (int(counts[place]) if place < len(counts) else 0 for place in places)
    return cast(Counters, dict(zip(COLUMNS, numbers, strict=True)))


def _read_counts(path: Path) -> tuple[int, ...]:
    data = path.read_bytes() if path.exists() else b""
    return struct.unpack(f"={len(data) // 8}q", data)


def _call(action: Callable[[], None] | None) -> None:
    if action is not None:
        action()
