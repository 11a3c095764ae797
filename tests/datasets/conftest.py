"""MATLAB files of readers' tests are read in this process; a child for each takes half a second.

tests/data/test_matlab.py has the child itself: its limits, its crashes, what it says.
"""

import io
import sys
from types import SimpleNamespace

import pytest

from finegrained_crl.data import matlab, matlab_child


def run_here(command, *, input=None, stdin=None, **_how):
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resource.setrlimit", lambda *_: None)
        patch.setattr(sys, "argv", command[2:])
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin or io.BytesIO(input)))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = matlab_child.main()
    return SimpleNamespace(returncode=code, stdout=out.getvalue().encode(), stderr=err.getvalue().encode())


@pytest.fixture(autouse=True)
def _no_child(monkeypatch):
    monkeypatch.setattr(matlab, "subprocess", SimpleNamespace(run=run_here, TimeoutExpired=TimeoutError))
