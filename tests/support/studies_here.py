"""`fgcrl crossval` whose cells run in this process, one after the other.

What they leave is the same, without a start of Python and its libraries for each.
"""

import contextlib
import os

import pytest
import torch

from finegrained_crl.cli import crossval as command
from finegrained_crl.cli.main import main
from finegrained_crl.crossval import launch


class Ended:
    """Stands for the process of a cell that has run."""

    def __init__(self, returncode):
        self.returncode = returncode

    def poll(self):
        return self.returncode

    wait = terminate = kill = poll


class Here(contextlib.nullcontext):
    """Stands for `crossval.processes`: runs each cell at once."""

    def __init__(self, threads, _gpus):
        super().__init__(self)
        self.threads = threads

    def start(self, words, *, log, output=os.devnull, **_how):
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(output, "w"))))
            stack.enter_context(contextlib.redirect_stderr(stack.enter_context(log.open("w"))))
            code = main(words)
        torch.set_num_threads(threads)
        return Ended(code)

    def wait_for_end(self, _seconds):
        """Every cell has ended when its start returns."""


def crossval_here(*words, timed=False, verb="crossval"):
    """The exit code of `fgcrl crossval`, or of `fgcrl tune`; the expected time is measured where asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "processes", Here)
        patch.setattr(launch, "POLL_SECONDS", 0.0)
        if not timed:
            patch.setattr(command, "_expected", lambda *_: (None, "not measured"))
        return main([verb, *map(str, words)])
