"""`fgcrl crossval` whose cells run in this process, one after the other.

What they leave is the same, without a start of Python and its libraries for each.
"""

import contextlib
import io
from types import SimpleNamespace

import pytest
import torch

from finegrained_crl.cli import crossval as command
from finegrained_crl.cli.main import main
from finegrained_crl.crossval import launch


class Here:
    """Stands for `subprocess.Popen`: runs the cell at once."""

    def __init__(self, words, *, env, stderr, **_how):
        threads = torch.get_num_threads()
        torch.set_num_threads(int(env["OMP_NUM_THREADS"]))
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            log = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            self.returncode = main(words[3:])
        stderr.write(log.getvalue().encode())
        torch.set_num_threads(threads)

    def poll(self):
        return self.returncode

    wait = terminate = kill = poll


def crossval_here(*words):
    """The exit code of `fgcrl crossval`; the expected time is not measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "subprocess", SimpleNamespace(Popen=Here, DEVNULL=None))
        patch.setattr(launch, "POLL_SECONDS", 0.0)
        patch.setattr(command, "_expected", lambda *_: (None, "not measured"))
        return main(["crossval", *map(str, words)])
