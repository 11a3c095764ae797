"""Running the tiny programs: as they are, edited by hand, and retrofitted."""

import contextlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch

from finegrained_crl.cli.main import main
from finegrained_crl.retrofit import launch

collect_ignore = ["programs"]
ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
HAND = re.compile(r"^(\s*)\S.*  # by hand: (.*)$", re.MULTILINE)


def environment():
    paths = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "datasets"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Workshop:
    """A copy of the programs in a folder of its own, and the ways to run one.

    Args:
        folder: for the copy.
        source: what is copied. Without `shapes` by default: a run reads all files around its program.
        forks: `PythonForks`; None where processes can't be forked with torch loaded, every start is a fresh one there.
    """

    def __init__(self, folder, forks, *, source=PROGRAMS, without=("shapes",)):
        self.folder, self.forks = folder, forks
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", *without))

    def edited(self):
        twin = Workshop(self.folder.parent / f"{self.folder.name}-by-hand", self.forks, source=self.folder, without=())
        for path in twin.folder.rglob("*.py"):
            path.write_text(HAND.sub(r"\1\2", path.read_text()))
        return twin

    def python(self, *words, **options):
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **options,
        )

    def fresh_retrofit(self, *words):
        """`fgcrl retrofit run WORDS` as a user starts it."""
        return self.python("-m", "finegrained_crl", "retrofit", "run", *words)

    def retrofit(self, *words):
        """The same, with the command in this process and its programs in forks."""
        return self.command("run", *words)

    def command(self, verb, *words):
        """`fgcrl retrofit VERB WORDS` in this process, the programs that it starts in forks."""
        if self.forks is None:
            return self.python("-m", "finegrained_crl", "retrofit", verb, *words)
        with contextlib.ExitStack() as stack:
            said = self._heard(stack)
            stack.enter_context(contextlib.chdir(self.folder))
            stack.enter_context(mock.patch.dict(os.environ, environment()))
            stack.enter_context(mock.patch.object(launch, "subprocess", self.forks))
            code = main(["retrofit", verb, *words])
        return SimpleNamespace(returncode=code, **{name: path.read_text() for name, path in said.items()})

    def forked(self, *words):
        """`python WORDS` in a fork."""
        if self.forks is None:
            return self.python(*words)
        with contextlib.ExitStack() as stack:
            said = self._heard(stack)
            code = self.forks.run(words, env=environment(), cwd=self.folder)
        return SimpleNamespace(returncode=code, **{name: path.read_text() for name, path in said.items()})

    def _heard(self, stack):
        """Let what is said here and in forks be appended to one file for each stream; the files."""
        said = {name: self.folder.parent / f"{self.folder.name}.{name}" for name in ("stdout", "stderr")}
        for path in said.values():
            path.write_text("")
        stack.enter_context(self.forks.written_to(**said))
        for redirect, path in zip((contextlib.redirect_stdout, contextlib.redirect_stderr), said.values(), strict=True):
            stack.enter_context(redirect(stack.enter_context(path.open("a", buffering=1))))
        return said

    def here(self, program):
        """Run a program in this process, where torch is already imported; its final weights."""
        out = self.folder / "here.pt"
        before = dict(sys.modules), list(sys.path), list(sys.argv)
        sys.path.insert(0, str(self.folder))
        sys.argv[:] = [program, str(out)]
        functional = torch.nn.functional.cross_entropy
        linear, threads = torch.nn.Linear.__init__, torch.get_num_threads()
        torch.set_num_threads(1)  # as in the other processes: sums depend on it
        try:
            if program.endswith(".py"):
                runpy.run_path(str(self.folder / program), run_name="__main__")
            else:
                runpy.run_module(program, run_name="__main__", alter_sys=True)
        except SystemExit:
            pass
        finally:
            torch.nn.functional.cross_entropy = functional
            torch.nn.Linear.__init__ = linear
            torch.set_num_threads(threads)
            for name in set(sys.modules) - set(before[0]):
                if str(self.folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]
            sys.path[:], sys.argv[:] = before[1:]
        return self.weights("here.pt")

    def weights(self, name):
        return torch.load(self.folder / name)

    def receipt(self):
        return json.loads((self.folder / "retrofit.json").read_text())


@pytest.fixture
def workshop(tmp_path, forks):
    return Workshop(tmp_path / "programs", forks)


@pytest.fixture(scope="session")
def make_workshop(tmp_path_factory, forks):
    """A workshop with the shapes too."""
    return lambda: Workshop(tmp_path_factory.mktemp("shop") / "programs", forks, without=())


@pytest.fixture
def same_bits():
    def compare(ours, theirs):
        return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)

    return compare
