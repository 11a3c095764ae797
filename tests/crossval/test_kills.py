"""Two launchers on one study, killed and stopped at random: every cell is committed once, none runs twice at a time.

Slow. Cells are stubs of FINEGRAINED_KILL_CELL seconds (1.5) that note what they do and refuse to be the second;
FINEGRAINED_KILL_SECONDS bounds the kills (600).
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import local_driver
import psutil
import pytest
from stub_cells import stub_commands, study_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
CELLS, TERM = 200, 4.0


@pytest.fixture
def launch(tmp_path, monkeypatch):
    stub = stub_commands(tmp_path / "stub")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(stub), *(path for path in sys.path if path)]))
    monkeypatch.setenv("STUB_SECONDS", os.environ.get("FINEGRAINED_KILL_CELL", "1.5"))
    started = []

    def start(study):
        log = (tmp_path / f"launcher{len(started)}.log").open("w")
        command = [sys.executable, local_driver.__file__, str(study), str(TERM), "2"]
        started.append(subprocess.Popen(command, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def stop_for(process, seconds, *, with_cells):
    """Stop a launcher, and its cells too or not, and let it go on."""
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True) if with_cells else []
    for signal_number in (signal.SIGSTOP, signal.SIGCONT):
        for member in family:
            try:
                member.send_signal(signal_number)
            except psutil.NoSuchProcess:
                continue
        if signal_number == signal.SIGSTOP:
            time.sleep(seconds)


def test_every_cell_is_committed_once(launch, tmp_path):
    folder, study = study_of(tmp_path / "study", CELLS)
    draw, deeds = random.Random(0), Counter()
    limit = time.monotonic() + float(os.environ.get("FINEGRAINED_KILL_SECONDS", "600"))
    launchers = [launch(folder.folder) for _ in range(2)]
    while any(process.poll() is None for process in launchers):
        time.sleep(draw.uniform(0.1, 1.5))
        i = draw.randrange(2)
        ends = time.monotonic() > limit
        if not ends and launchers[i].poll() is None:
            deed = draw.choice(["kill", "ask to stop", "stop", "stop with cells"])
            deeds[deed] += 1
            if deed.startswith("stop"):
                stop_for(launchers[i], draw.uniform(0.5, 2.5 * TERM), with_cells=deed == "stop with cells")
            else:
                launchers[i].send_signal(signal.SIGKILL if deed == "kill" else signal.SIGTERM)
                launchers[i].wait()
        for j, process in enumerate(launchers):
            if process.poll() not in (None, 0):
                launchers[j] = launch(folder.folder)
    notes = Counter(tuple(line.split()) for line in (folder.folder / "ran.txt").read_text().splitlines())
    kinds = Counter()
    for (kind, _), count in notes.items():
        kinds[kind] += count
    print(dict(deeds), dict(kinds))
    ends = [notes["ended", cell.name] for cell in study.cells]
    assert max(ends) == 1
    # A cell that dies with its launcher between its commit and its note is committed, and has no note.
    assert CELLS - sum(ends) <= deeds["kill"]
    assert all(folder.run(cell).is_done for cell in study.cells)
    assert kinds["again"] == 0
