"""Stands for `sbatch` and `scontrol`: runs an array on this machine, task after task, times out, and queues again.

As `sbatch --parsable SCRIPT` it runs the tasks of `#SBATCH --array=0-N` with the environment that Slurm sets. A task
that is named in STUB_TIME_OUT gets, on its first run and once a cell of it notes in STUDY/ran.txt that it began, the
signal that `#SBATCH --signal=B:TERM@..` asks for; as `scontrol requeue JOB_TASK` it notes that the task runs again.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path


def install(folder):
    """Put both commands into a folder, for the PATH."""
    folder.mkdir()
    for name in ("sbatch", "scontrol"):
        (folder / name).write_text(f'#!/bin/bash\nexec {sys.executable} {__file__} {name} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def sbatch(script):
    text = script.read_text()
    options = re.findall(r"^#SBATCH --(.*)$", text, re.MULTILINE)
    assert "requeue" in options
    assert any(option.startswith("signal=B:TERM@") for option in options)
    last = int(next(option for option in options if option.startswith("array=0-"))[len("array=0-") :])
    journal = script.parent / "stub.txt"
    waiting = list(range(last + 1))
    while waiting:
        task = waiting.pop(0)
        again = _lines(journal)
        _run(script, task, times_out=str(task) == os.environ.get("STUB_TIME_OUT") and not again)
        waiting += [int(line.rpartition("_")[2]) for line in _lines(journal)[len(again) :]]
    print("77;cluster")


def _run(script, task, *, times_out):
    log = script.parent / f"77_{task}.log"
    own = {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": str(task), "STUB_JOURNAL": str(script.parent)}
    before = len(_lines(script.parents[1] / "ran.txt"))
    with log.open("ab") as file:
        process = subprocess.Popen(["bash", str(script)], env={**os.environ, **own}, stdout=file, stderr=file)
        if times_out:
            while len(_lines(script.parents[1] / "ran.txt")) == before:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
        process.wait()


def _lines(path):
    return path.read_text().splitlines() if path.exists() else []


def scontrol(verb, task):
    assert verb == "requeue"
    with (Path(os.environ["STUB_JOURNAL"]) / "stub.txt").open("a") as file:
        file.write(task + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "sbatch":
        assert sys.argv[2] == "--parsable"
        sbatch(Path(sys.argv[3]))
    else:
        scontrol(*sys.argv[2:])
