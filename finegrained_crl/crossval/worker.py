"""A worker: a process that runs cells, with a name of its own and a heartbeat that other workers watch.

STUDY/claims/workers/NAME holds a number that grows while the worker lives. Clocks of two machines are never compared:
who watches measures with the own clock for how long the number has not changed (`Watch`), and a worker measures with
its own how long ago it could last write it (`Heart.is_late`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from finegrained_crl import files

TERM_SECONDS = 60.0
"""A worker that is silent so long has lost its cells; it has ended them itself after half of that."""
BEATS_PER_TERM = 12

Clock = Callable[[], float]


def seconds_since_boot() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps."""
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)


@dataclass(frozen=True)
class Worker:
    """Who runs cells.

    Attributes:
        name: of this worker alone, ever.
        host: name of its machine, for people.
        machine: what only processes that see each other's ids share; "" where that can't be told.
        pid, started: process, and the tick at which it began: ids are used again.
        launcher: what it belongs to: local, ray, slurm.
        term: seconds of silence after which its cells are anybody's.
    """

    name: str
    host: str = ""
    machine: str = ""
    pid: int = 0
    started: int = 0
    launcher: str = "local"
    term: float = TERM_SECONDS

    @classmethod
    def here(cls, launcher: str = "local", term: float = TERM_SECONDS) -> Self:
        """This process as a worker."""
        host, pid = socket.gethostname(), os.getpid()
        name = f"{host.partition('.')[0]}-{pid}-{uuid.uuid4().hex[:8]}"
        return cls(name, host, machine_of_processes(), pid, started_at(pid) or 0, launcher, term)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """What `as_dict` gave; where a file was cut off, a worker whom nobody will hear."""
        try:
            return cls(**{key: stored[key] for key in cls.__dataclass_fields__})
        except KeyError:
            return cls("")

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def is_surely_dead(self) -> bool:
        """Whether it was a process of this machine that has ended; of other machines this says False."""
        if not self.machine or self.machine != machine_of_processes():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # somebody else's; its start may be readable all the same
        started = started_at(self.pid)
        return started is not None and started != self.started


def machine_of_processes() -> str:
    """Boot and process namespace: two containers of one machine don't see each other's processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started_at(pid: int) -> int | None:
    """The tick since boot at which a process began; 0 for one that ended and waits to be asked for its code; None where
    that can't be read.
    """
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return 0 if words[0] == "Z" else int(words[19])
    except (OSError, IndexError, ValueError):
        return None


class Heart:
    """The heartbeat of a worker; a context manager, in which it beats by itself.

    Args:
        folder: of all workers' heartbeats.
        worker: whose.
        clock: in seconds.
    """

    def __init__(self, folder: Path, worker: Worker, clock: Clock = seconds_since_boot) -> None:
        self.file, self.worker, self.clock = folder / worker.name, worker, clock
        self.number = 0
        self.last = clock()
        self._ended = threading.Event()

    def beat(self) -> None:
        """Show that the worker lives; what can't be written shows nothing, and makes it late in the end."""
        began = self.clock()
        draft = self.file.with_name(f".{self.file.name}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(str(self.number + 1), encoding="ascii")
            os.replace(draft, self.file)
        except OSError:
            return
        # Counted from before the number was to be seen: others count from after it.
        self.number, self.last = self.number + 1, began

    @property
    def is_late(self) -> bool:
        """Whether others may soon take this worker's cells: it must end them now."""
        return self.clock() - self.last > self.worker.term / 2

    def __enter__(self) -> Self:
        """Beat, and go on."""
        files.make_folder(self.file.parent)
        self.beat()
        threading.Thread(target=self._go_on, name="heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; the file goes."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)

    def _go_on(self) -> None:
        while not self._ended.wait(self.worker.term / BEATS_PER_TERM):
            self.beat()


class Watch:
    """What one worker has seen of the hearts of others.

    Args:
        folder: of all workers' heartbeats.
        clock: the watcher's own.
    """

    def __init__(self, folder: Path, clock: Clock = seconds_since_boot) -> None:
        self.folder, self.clock = folder, clock
        self.seen: dict[str, tuple[str, float]] = {}

    def is_silent(self, worker: Worker) -> bool:
        """Whether a worker's number has not changed for its term, since it was first looked at."""
        beat, now = self._read(worker), self.clock()
        before = self.seen.get(worker.name)
        if before is None or before[0] != beat:
            self.seen[worker.name] = (beat, now)
            return False
        return now - before[1] > worker.term

    def _read(self, worker: Worker) -> str:
        if not worker.name:
            return ""
        try:
            return (self.folder / worker.name).read_text(encoding="ascii")
        except OSError:
            return ""
