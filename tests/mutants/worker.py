"""Tries faults on a copy of the repository: a process that has torch and timm loaded, and forks for each fault.

Loading the libraries takes seven seconds and most tests a tenth of that. The project itself is not loaded here: each
fork imports it anew, with its fault.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from faults import Fault

HEAVY = (
    *("torch", "timm", "timm.data", "timm.optim", "timm.scheduler", "timm.utils", "torch.utils.tensorboard"),
    *("numpy", "pandas", "pyarrow.parquet", "scipy.sparse", "scipy.special", "scipy.optimize", "sklearn.metrics"),
    *("sklearn.model_selection", "albumentations", "cv2", "PIL.Image", "matplotlib.pyplot", "accelerate"),
    *("jsonargparse", "docstring_parser", "rich.console", "rich.live", "yaml", "safetensors.torch", "hypothesis"),
    *("pytest", "libcst", "psutil"),
)
QUIET = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=line")
TEST_SECONDS = 120
"""A test that takes longer fails, as it does after `timeout` (pyproject.toml) in the suite: a loop without end is
noticed by its name."""


@dataclass(frozen=True)
class Outcome:
    """What came of a fault.

    Attributes:
        state: "killed", "survived", or "hung" (the tests did not end in time, which says nothing).
        seconds: wall time of its tests.
        by: the test that noticed it, "" for none.
    """

    state: str
    seconds: float
    by: str


class Worker:
    """A copy of the repository and the libraries in memory.

    Args:
        root: the copy; the current directory from here on.
        limit: seconds for the tests of one fault.
    """

    def __init__(self, root: Path, limit: float) -> None:
        self.root, self.limit, self.writes = root, limit, 0
        places = [str(root), str(root / "plugins"), str(root / "datasets")]
        os.environ |= {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
        os.environ["HYPOTHESIS_PROFILE"] = "unshrunk"  # tests/conftest.py
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False  # in the copy: each fork would compile everything again
        os.chdir(root)
        sys.path[:0] = places
        for name in HEAVY:
            importlib.import_module(name)
        importlib.import_module("torch").set_num_threads(1)
        gc.freeze()  # pytest collects garbage at its end: half of a fork's time went into looking at the libraries

    def attempt(self, fault: Fault) -> Outcome:
        """Put a fault in, run its tests, take it out."""
        path = self.root / fault.path
        content, times = path.read_bytes(), path.stat()
        path.write_bytes(content.decode().replace(fault.old, fault.new).encode())
        # Python takes compiled code for a source's by its size and whole seconds: each fault gets a second of its own.
        self.writes += 1
        os.utime(path, (times.st_atime, times.st_mtime + self.writes))
        try:
            return self.run(fault.tests)
        finally:
            path.write_bytes(content)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def run(self, tests: tuple[str, ...]) -> Outcome:
        """Run tests in a fork, with everything that it starts ended in time."""
        start = time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            child = os.fork()
            if child == 0:
                _test(tests, output.fileno())
            code = _wait(child, start + self.limit)
            output.seek(0)
            said = output.read()
        seconds = time.monotonic() - start
        if code is None:
            return Outcome("hung", seconds, f"no end within {self.limit:.0f} s")
        return Outcome("survived" if code == 0 else "killed", seconds, _noticed_by(said))


def die_with_parent() -> None:
    """Linux: a runner that is killed leaves nothing behind that goes on for an hour."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _test(tests: tuple[str, ...], output: int) -> None:
    """In the fork: run pytest and leave; a fault may break so much that nothing else ends this process."""
    code = 70
    try:
        die_with_parent()
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest

        # A process of a pool may have no children; the loaders of a test are some.
        multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
        code = int(pytest.main([*QUIET, f"--timeout={TEST_SECONDS}", *tests]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _wait(child: int, deadline: float) -> int | None:
    """The exit code of a child, None where it had to be ended; its own children end with it."""
    code = None
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    return code


def _noticed_by(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return lines[0].partition(" ")[2].partition(" - ")[0] if lines else ""
