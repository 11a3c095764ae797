"""Loader processes that can't keep a run waiting: their signals, the room for their batches, and what became of one
that died.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import multiprocessing.queues
import multiprocessing.util
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finegrained_crl.errors import FinegrainedError

SHARED_MEMORY = Path("/dev/shm")
IN_FLIGHT = 3
"""Batches per worker: two that the loader asks for ahead (its default), and the one that training holds."""
SECONDS = 600
"""Longest wait for one batch: a network drive that hangs must not hold a machine for days."""


def prepare(_number: int) -> None:
    """Make this process a good worker: an interrupted parent decides, and no batch is lost without a word."""
    # Launchers and terminals send signals to all processes; the parent's step under way may need one more batch.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # When the parent goes, a thread that hands memory over loses its connection, and says so with a traceback.
    sys.excepthook = _tell_but_lost_connections
    # A batch that can't be handed over is dropped by multiprocessing with a traceback, and the parent waits for ever.
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_end)  # type: ignore[attr-defined]


def _tell_but_lost_connections(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if not issubclass(kind, ConnectionError):
        sys.__excepthook__(kind, error, trace)


def _end(error: BaseException, _batch: Any) -> None:
    print(f"a loader process can't hand over a batch: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    os._exit(1)


def end_stuck() -> None:
    """End the loader processes that are still there, whatever they wait for."""
    stuck = [process for process in multiprocessing.active_children() if process.daemon]
    if not stuck or threading.current_thread() is not threading.main_thread():
        return
    # torch would raise once more, for each that we end.
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if hasattr(signal, "SIGCHLD") else None
    for process in stuck:
        process.kill()
        process.join(JOIN_SECONDS)
    if before is not None:
        signal.signal(signal.SIGCHLD, before)


JOIN_SECONDS = 5.0

# Registered after multiprocessing's own, so run before it, which would wait for a stuck worker for ever.
atexit.register(end_stuck)


@functools.cache
def _end_with(_process: int) -> None:
    multiprocessing.util.Finalize(None, end_stuck, exitpriority=0)


def end_with_this_process() -> None:
    """Let no loader process keep this one from ending, which may itself be one that multiprocessing started: there
    `atexit` is not run, and finalisers of before the fork are forgotten.
    """
    _end_with(os.getpid())


@contextlib.contextmanager
def deaths_told() -> Iterator[None]:
    """Turn torch's errors about a worker that died or hangs into one line that says what to do.

    Raises:
        FinegrainedError: a worker died, or sent nothing for `SECONDS`.
    """
    try:
        yield
    except RuntimeError as error:
        # torch says first which process died of what, and then raises again to say that some did.
        told = _told(f"{error}; {error.__cause__ or error.__context__ or ''}")
        if told is None:
            raise
        end_stuck()
        raise FinegrainedError(told) from error


def _told(text: str) -> str | None:
    """What happened to a worker; None where the text speaks of something else."""
    if "DataLoader worker" not in text and "DataLoader timed out" not in text:
        return None
    if "timed out" in text:
        return (
            f"the loader processes sent no picture for {SECONDS} s: is the disk or network drive of --data reachable?"
            " Go on with --resume"
        )
    named = re.search(r"killed by signal: ([^.]+)\.", text)
    if named and "Bus error" in named[1]:
        return f"a loader process died of a bus error: {SHARED_MEMORY} is full; {ADVICE}"
    how = f"was killed ({named[1].strip()})" if named else "died"
    return f"a loader process {how}: the machine may be out of memory, or somebody ended it; {ADVICE}"


ADVICE = "go on with --resume and fewer --workers (0 needs no shared memory), or give a container more with --shm-size"


def that_fit(workers: int, batch_bytes: int) -> tuple[int, str]:
    """As many loader processes as there is shared memory for.

    Args:
        workers: wished for.
        batch_bytes: of one batch of training and one of evaluation together.
    Returns:
        `workers`, or 0 where their batches would not fit; what to tell the user, "" for nothing.
    """
    free = free_bytes()
    needed = workers * IN_FLIGHT * batch_bytes
    if free is None or needed <= free:
        return workers, ""
    told = (
        f"{SHARED_MEMORY} has {free / 1e6:.0f} MB free and {workers} loader processes may need {needed / 1e6:.0f} MB:"
        " going on without them; give a container more with --shm-size 1g, or say --workers 0"
    )
    return 0, told


def free_bytes() -> int | None:
    """Free shared memory; None where there is no such place."""
    try:
        place = os.statvfs(SHARED_MEMORY)
    except (OSError, AttributeError):
        return None
    return place.f_bavail * place.f_frsize
