"""`fgcrl` in processes of their own that start at once: forks of one that has loaded the libraries."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from finegrained_crl.crossval.processes import ForkedCell, ForkedProcesses, FreshProcesses


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
    with (ForkedProcesses if sys.platform == "linux" else FreshProcesses)(1) as processes:
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
