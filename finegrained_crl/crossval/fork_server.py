"""A process that has the libraries in memory and is forked for each cell of a study, which then starts at once.

`python -m finegrained_crl.crossval.fork_server` reads requests from stdin, a JSON line each, and answers on stdout
`{"number": 3, "code": 0}` when a cell has ended:

    {"number": 3, "words": ["finetune", ..], "output": "/dev/null", "log": "study/logs/ce_f0_s0.log", "own": {}}
    {"number": 3, "signal": 15}

It ends with its stdin, and everything that it forked ends with it. For Linux (PR_SET_PDEATHSIG; elsewhere the libraries
don't survive a fork) and CPUs: a fork of a process that has a CUDA context can't use it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

LIBRARIES = (
    *("finegrained_crl.cli.finetune", "finegrained_crl.training.session", "finegrained_crl.training.loop"),
    *("finegrained_crl.training.results", "finegrained_crl.training.dry_run", "finegrained_crl.cli.show"),
    *("timm", "timm.data", "timm.optim", "timm.scheduler", "timm.utils", "torch.utils.tensorboard", "accelerate"),
    *("albumentations", "sklearn.model_selection", "pyarrow.parquet"),
)
KEPT_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""They go to all processes of a terminal or job: cells save and stop, and the server must be there until they have."""


class ForkServer:
    """The requests, and the processes that were forked for them."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.numbers: dict[int, int] = {}
        self.handlers = {number: signal.signal(number, signal.SIG_IGN) for number in KEPT_SIGNALS}
        self.wake, self.wakes = os.pipe()
        os.set_blocking(self.wakes, False)
        signal.set_wakeup_fd(self.wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> list[str] | None:
        """Answer requests until there are no more.

        Returns:
            in a forked process: its words; in the server: None, at the end.
        """
        for request in self._requests():
            if "signal" in request:
                self._send(request["number"], request["signal"])
            elif self._fork(request) == 0:
                return list(request["words"])
        return None

    def _fork(self, request: dict[str, Any]) -> int:
        # A signal that comes before the cell listens waits until it does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, KEPT_SIGNALS)
        pid = os.fork()
        if pid:
            self.numbers[pid] = request["number"]
        else:
            self._become_cell(request)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def _requests(self) -> Iterator[dict[str, Any]]:
        """Requests as they come; between them, ends of cells are told."""
        begun = b""
        while True:
            readable, _, _ = select.select([0, self.wake], [], [])
            if self.wake in readable:
                os.read(self.wake, 4096)
            self._tell_ends()
            if 0 not in readable:
                continue
            text = os.read(0, 65536)
            if not text:
                return
            *lines, begun = (begun + text).split(b"\n")
            yield from map(json.loads, lines)

    def _tell_ends(self) -> None:
        while self.numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            end = {"number": self.numbers.pop(pid), "code": os.waitstatus_to_exitcode(status)}
            os.write(1, json.dumps(end).encode() + b"\n")

    def _send(self, number: int, sent: int) -> None:
        """A signal to a cell; one that has ended is not looked for: its process id may be somebody else's."""
        for pid in (pid for pid, of in self.numbers.items() if of == number):
            os.kill(pid, sent)

    def _become_cell(self, request: dict[str, Any]) -> None:
        """In the fork: what a process of its own would have."""
        die_with(self.process, ctypes.CDLL(None))
        os.environ |= request["own"]
        signal.set_wakeup_fd(-1)
        os.close(self.wake)
        os.close(self.wakes)
        for number, handler in {**self.handlers, signal.SIGCHLD: signal.SIG_DFL}.items():
            signal.signal(number, handler)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        output = os.open(request["output"], os.O_WRONLY)
        for descriptor, place in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (log, 2)):
            os.dup2(descriptor, place)
            os.close(descriptor)


def die_with(parent: int, libc: ctypes.CDLL) -> None:
    """Linux: end when the parent does. A cell that outlived its launcher would keep its run folder from a restart."""
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def load_libraries() -> None:
    """Import what every cell needs; what can't be imported is the cell's to say.

    Nothing of it becomes garbage: it is not looked through while it is imported, nor in the cells, whose memory stays
    shared with this process then.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # as in data/transforms.py
    gc.disable()
    for name in LIBRARIES:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.freeze()
    gc.enable()


def main() -> None:
    """Serve; in a fork, do what `python -m finegrained_crl WORDS` does."""
    server = ForkServer()
    load_libraries()
    words = server.serve()
    if words is None:
        _leave(0)
    sys.argv[1:] = words
    try:
        runpy.run_module("finegrained_crl", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        _leave(stop.code)
    finally:
        gc.unfreeze()  # at the end of an interpreter, triton takes what is frozen for lost and says so


def _leave(code: str | int | None) -> NoReturn:
    """What the interpreter does at its end, but for taking the libraries apart: that copies all of their memory."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    main()
