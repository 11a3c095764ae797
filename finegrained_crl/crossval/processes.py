"""Processes of the cells of a study: fresh ones, or forks of one that has the libraries in memory."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, Self

from finegrained_crl.crossval.fork_server import die_with

NOTHING: Mapping[str, str] = {}
SHORT_SECONDS = 0.02
"""Between two looks at processes whose end wakes nobody."""


class CellProcess(Protocol):
    """What the launcher uses of `subprocess.Popen`."""

    returncode: int | None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, waited for; `subprocess.TimeoutExpired` after `timeout` seconds."""

    def terminate(self) -> None:
        """Ask it to save and stop."""

    def kill(self) -> None:
        """End it."""


class Processes(Protocol):
    """Starts `fgcrl` commands side by side; a context manager."""

    def start(
        self, words: list[str], *, log: Path, output: Path | None = None, own: Mapping[str, str] = NOTHING
    ) -> CellProcess:
        """Start a command.

        Args:
            words: after `fgcrl`.
            log: an existing file that its stderr is added to.
            output: an existing file for its stdout; None: nowhere.
            own: of its environment.
        """

    def wait_for_end(self, seconds: float) -> None:
        """Wait until a command may have ended, at most so long."""

    def __enter__(self) -> Self:
        """Be ready."""

    def __exit__(self, *error: object) -> None:
        """Leave nothing behind."""


def processes(threads: int, gpus: tuple[str, ...]) -> Processes:
    """How cells are started on this machine.

    Args:
        threads: of each.
        gpus: that they use; empty: none.
    """
    return ForkedProcesses(threads) if sys.platform == "linux" and not gpus else FreshProcesses(threads)


class FreshProcesses:
    """Each command in a Python of its own, which loads the libraries anew."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.running: list[subprocess.Popen[bytes]] = []

    def start(
        self, words: list[str], *, log: Path, output: Path | None = None, own: Mapping[str, str] = NOTHING
    ) -> CellProcess:
        """Start a command; its stdin is empty."""
        with log.open("ab") as errors, (output or Path(os.devnull)).open("ab") as out:
            process = subprocess.Popen(
                python("finegrained_crl", *words),
                env={**environment(self.threads), **own},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                preexec_fn=_die_with_this(),
            )
        self.running.append(process)
        return process

    def wait_for_end(self, seconds: float) -> None:
        """Wait until a process ends, at most so long."""
        before, self.running = self.running, [process for process in self.running if process.poll() is None]
        if len(self.running) < len(before):
            return
        with contextlib.ExitStack() as stack:
            try:
                ends = [os.pidfd_open(process.pid) for process in self.running]  # not reaped: the id is still theirs
            except (AttributeError, OSError):  # not Linux, or an old one
                time.sleep(min(seconds, SHORT_SECONDS))
                return
            for end in ends:
                stack.callback(os.close, end)
            select.select(ends, [], [], seconds)

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to end."""


class ForkedProcesses:
    """Each command in a fork of one process that has loaded the libraries (fork_server.py)."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.cells: list[ForkedCell] = []

    def __enter__(self) -> Self:
        """Start the server; it loads the libraries meanwhile."""
        self.server = subprocess.Popen(
            python("finegrained_crl.crossval.fork_server"),
            env=environment(self.threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            preexec_fn=_die_with_this(),
        )
        self._begun = b""
        return self

    def __exit__(self, *error: object) -> None:
        """End the server, and with it what it still runs."""
        self.server.kill()
        self.server.communicate()

    def start(
        self, words: list[str], *, log: Path, output: Path | None = None, own: Mapping[str, str] = NOTHING
    ) -> CellProcess:
        """Start a command; its stdin is empty."""
        if self.server.poll() is not None:
            self.read_ends(0.0)
            self._note_lost()
            self.__enter__()
        cell = ForkedCell(self, len(self.cells))
        self.cells.append(cell)
        request = {"words": words, "log": str(log), "output": str(output or os.devnull), "own": dict(own)}
        self.ask(cell.number, **request)
        return cell

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the server says that a command ended, at most so long."""
        self.read_ends(seconds)

    def ask(self, number: int, **request: object) -> None:
        """Send the server a request; one that isn't there any more has ended its cells."""
        assert self.server.stdin is not None
        try:
            self.server.stdin.write(json.dumps({"number": number, **request}).encode() + b"\n")
        except BrokenPipeError:
            self.read_ends(0.0)

    def read_ends(self, seconds: float) -> None:
        """Note which cells ended, waiting for news at most so long."""
        assert self.server.stdout is not None
        if not select.select([self.server.stdout], [], [], seconds)[0]:
            return
        text = os.read(self.server.stdout.fileno(), 65536)
        *lines, self._begun = (self._begun + text).split(b"\n")
        for end in map(json.loads, lines):
            self.cells[end["number"]].returncode = end["code"]
        if not text:
            self._note_lost()

    def _note_lost(self) -> None:
        """The server died, and so its cells."""
        self.server.kill()
        self.server.wait()
        for cell in self.cells:
            if cell.returncode is None:
                cell.returncode = -signal.SIGKILL


class ForkedCell:
    """A command in a fork of the server."""

    def __init__(self, processes: ForkedProcesses, number: int) -> None:
        self.processes, self.number = processes, number
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None:
            self.processes.read_ends(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, waited for; `subprocess.TimeoutExpired` after `timeout` seconds."""
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(f"cell {self.number}", timeout or 0.0)
            self.processes.read_ends(min(left, 1.0))
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to save and stop."""
        self.processes.ask(self.number, signal=int(signal.SIGTERM))

    def kill(self) -> None:
        """End it."""
        self.processes.ask(self.number, signal=int(signal.SIGKILL))


def python(module: str, *words: str) -> list[str]:
    """The command of a module in this interpreter."""
    return [sys.executable, "-m", module, *words]


def environment(threads: int) -> dict[str, str]:
    """This process's environment with a share of the machine; the same modules are found as here.

    Threads that wait for each other sleep instead of spinning, unless the user says otherwise: where one of them has
    lost its core to other work, the others would spin on theirs until it is back.
    """
    waiting = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    own = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **waiting, **own}


def _die_with_this() -> Callable[[], None] | None:
    """For a child, before it becomes another program: to end when this process does."""
    if sys.platform != "linux":
        return None
    parent, libc = os.getpid(), ctypes.CDLL(None)  # loaded here: little may be done between fork and exec
    return lambda: die_with(parent, libc)
