"""Cells that train nothing: processes of a few milliseconds, or none at all, that leave a committed run folder.

`python stub_cells.py --out FOLDER` is such a process. It stops a test that lets a cell run twice at a time: each notes
when it began and ended in STUDY/ran.txt, and refuses to begin where another is at work.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from finegrained_crl import files
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.run_folder import RunFolder


def study_of(folder, count, *, threads=1):
    """A study of so many cells that nothing can train."""
    place = StudyFolder(folder)
    return place, place.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [None], [*range(count)], threads))


def commit(out, text="{}"):
    """What a finished run leaves, in least."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(text)
    committed.commit(out)


def stub_commands(folder):
    """A folder for the front of PYTHONPATH: in processes that find it, cells are those of this file."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "if importlib.util.find_spec('finegrained_crl'):\n"
        "    from finegrained_crl.crossval import processes\n"
        f"    processes.python = lambda module, *words: [sys.executable, '-S', {__file__!r}, *words]\n"
        "    processes.processes = lambda threads, gpus: processes.FreshProcesses(threads)\n"
    )
    return folder


class Instant:
    """Stands for `crossval.processes`: a cell has ended, well or badly, when its start returns."""

    def __init__(self, code=0, log=""):
        self.code, self.said, self.started = code, log, []

    def start(self, words, *, log, **_how):
        out = words[words.index("--out") + 1]
        self.started.append(Path(out).name)
        if self.code == 0:
            commit(out)
        log.write_text(self.said)
        return Ended(self.code)

    def wait_for_end(self, _seconds):
        pass


class Ended:
    def __init__(self, code):
        self.code = code

    def poll(self):
        return self.code

    def wait(self, _timeout=None):
        return self.code

    terminate = kill = poll


class Endless(Ended):
    """A cell that runs until it is ended."""

    def __init__(self):
        super().__init__(None)
        self.signals = []

    def terminate(self):
        self.signals.append("terminate")
        self.code = 143

    def kill(self):
        self.signals.append("kill")
        self.code = -9


def main(words):
    """A cell that works a little; exit code 3 where it would be the second at work, or at a finished cell."""
    out = Path(words[words.index("--out") + 1])
    seconds = float(os.environ.get("STUB_SECONDS", "0.05"))
    journal = out.parents[1] / "ran.txt"
    out.mkdir(parents=True, exist_ok=True)
    if (out / "COMMITTED").exists():
        _note(journal, "again", out)
        return 3
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(RunFolder(out).lock())
        except FinegrainedError:
            _note(journal, "twice", out)
            return 3
        _note(journal, "began", out)
        time.sleep(seconds)
        if os.path.exists(os.environ["FINEGRAINED_CRL_SUCCESSOR"]):
            _note(journal, "lost", out)
            return 3
        files.write_text(out / "results.json", f'{{"cell": "{out.name}"}}')
        committed.commit(out)
        _note(journal, "ended", out)
    return 0


def _note(journal, what, out):
    with journal.open("a") as file:
        file.write(f"{what} {out.name}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
