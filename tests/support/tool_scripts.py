"""The scripts of tools/, run in this process."""

import contextlib
import importlib
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
needs_tools = pytest.mark.skipif(not TOOLS.exists(), reason="tools are not installed")


def run_benchmark(*words):
    """`python tools/benchmark.py WORDS`; its exit code and what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(TOOLS), *sys.path])
        script = importlib.import_module("benchmark")
        return _run(script, words)


def tool(name):
    """A module of tools/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(TOOLS), *sys.path])
        return importlib.import_module(name)


def _run(script, words):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = script.main(list(words))
    return SimpleNamespace(returncode=code, stdout=printed.getvalue())
