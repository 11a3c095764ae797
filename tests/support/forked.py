"""`fgcrl` in processes of their own that start at once: forks of one that has loaded the libraries."""

import atexit
import gc
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from finegrained_crl.crossval import fork_server
from finegrained_crl.crossval.processes import ForkedCell, ForkedProcesses, FreshProcesses

PIPES = []
"""Of the process that is forked before the first test, while it waits to be asked for: its number, to it, from it."""


def fork_early(items):
    """Fork this process for the tests that start commands: collecting them has loaded the libraries.

    Later is too late: a fork of a process in which gradients were computed can compute none.
    """
    if sys.platform != "linux" or not any("server" in getattr(item, "fixturenames", ()) for item in items):
        return
    (requests, to_it), (from_it, answers) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(to_it)
        os.close(from_it)
        serve(requests, answers)
    os.close(requests)
    os.close(answers)
    PIPES[:] = pid, to_it, from_it


def serve(requests, answers):
    """In the fork: be `finegrained_crl.crossval.fork_server` to the end; in its forks, be the command."""
    code = 1
    try:
        fork_server.die_with(os.getppid(), fork_server.ctypes.CDLL(None))
        gc.freeze()
        atexit._clear()  # what is to be done at the end of this process is the tests' own
        os.dup2(requests, 0)
        os.dup2(answers, 1)
        os.closerange(3, 1024)  # pytest's and xdist's
        sys.stdin, sys.stdout, sys.stderr = (open(i, "w" if i else "r", 1, closefd=False) for i in range(3))  # noqa: SIM115
        os.environ |= {"MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        fork_server.main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(code)


class Early:
    """Stands for the `subprocess.Popen` of the fork."""

    def __init__(self, pid, to_it, from_it):
        self.pid, self.returncode = pid, None
        self.stdin, self.stdout = open(to_it, "wb", 0), open(from_it, "rb", 0)  # noqa: SIM115  (closed below)

    def poll(self):
        return self.returncode

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def communicate(self):
        os.waitpid(self.pid, 0)
        self.stdin.close()
        self.stdout.close()


class ForkedHere(ForkedProcesses):
    """Forks of the fork of this process, which has imported the libraries once for itself and for these."""

    def __enter__(self):
        self.server, self._begun = Early(*PIPES), b""
        return self


@dataclass
class Command:
    """A `fgcrl` command that was started.

    Attributes:
        process: poll, wait, terminate, kill.
        log, output: what it writes to stderr and stdout.
    """

    process: ForkedCell
    log: Path
    output: Path

    def send(self, number):
        self.process.processes.ask(self.process.number, signal=int(number))

    def end(self):
        """Its exit code."""
        return self.process.wait(300)


@pytest.fixture(scope="session")
def server():
    with (ForkedHere if PIPES else FreshProcesses)(1) as processes:
        yield processes


@pytest.fixture
def start_fgcrl(server, tmp_path_factory):
    """Starts `fgcrl WORDS`; a `Command`."""

    def start(*words, **own):
        folder = tmp_path_factory.mktemp("command")
        log, output = folder / "log", folder / "output"
        log.touch()
        output.touch()
        own = {name: value for name, value in os.environ.items() if name.startswith("FINEGRAINED")} | own
        process = server.start([str(word) for word in words], log=log, output=output, own=own)
        return Command(process, log, output)

    return start
