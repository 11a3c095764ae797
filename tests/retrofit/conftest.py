"""Running the tiny programs: as they are, edited by hand, and retrofitted."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

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
    """A copy of the programs in a folder of its own, and the three ways to run one."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(PROGRAMS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def edited(self):
        twin = Workshop(self.folder.parent / f"{self.folder.name}-by-hand")
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

    def retrofit(self, *words):
        return self.python("-m", "finegrained_crl", "retrofit", "run", *words)

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
def workshop(tmp_path):
    return Workshop(tmp_path / "programs")


@pytest.fixture(scope="session")
def make_workshop(tmp_path_factory):
    return lambda: Workshop(tmp_path_factory.mktemp("shop") / "programs")


@pytest.fixture
def same_bits():
    def compare(ours, theirs):
        return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)

    return compare
