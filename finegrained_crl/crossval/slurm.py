"""Studies under Slurm: a script with an array of tasks, each of which runs its share of the missing cells.

STUDY/slurm/3.sbatch   the third script
STUDY/slurm/3.cells    the cells that its tasks share out, a line each
STUDY/slurm/JOB_TASK.log
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from finegrained_crl import files
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.orders import count_orders
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError

ARRAY_LIMIT = 1000
"""Tasks of an array; Slurm's own default (MaxArraySize 1001) allows indices up to 1000."""
WARNING_SECONDS = 120
"""Between Slurm's warning and the end of the time: cells save, which takes a step and a checkpoint."""

SCRIPT = """#!/bin/bash
{options}
# Written by fgcrl crossval --launcher slurm. A task runs its share of {cells}; the cells' leases keep it from running
# what another one runs. Before its time is over, or when it is preempted, its cells save, and it is queued again.
{environment}
worker=
trap '[ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null' TERM
{command} "$SLURM_ARRAY_TASK_ID" &
worker=$!
wait "$worker"
code=$?
while kill -0 "$worker" 2>/dev/null; do  # a signal ended the wait, not the worker
    wait "$worker"
    code=$?
done
if [ "$code" -eq 143 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"""


@dataclass(frozen=True)
class Site:
    """What a cluster wants to be told.

    Attributes:
        options: of sbatch, as "partition=gpu".
        array_limit: most tasks of an array.
    """

    options: tuple[str, ...] = ()
    array_limit: int = ARRAY_LIMIT

    @classmethod
    def of(cls, words: list[str], array_limit: int) -> Site:
        """From what was typed: `partition=gpu gres=gpu:1`, or the same with hyphens and in one word.

        Raises:
            FinegrainedError: not options, or a limit below 1.
        """
        options = tuple(option.lstrip("-") for word in words for option in shlex.split(word))
        wrong = [option for option in options if not option or not option[0].isalpha() or "\n" in option]
        taken = [option for option in options if option.partition("=")[0] in ("array", "signal")]
        if wrong or taken:
            raise FinegrainedError(
                f"--slurm {(wrong + taken)[0]}: give sbatch's options as partition=gpu gres=gpu:1 time=04:00:00; array"
                " and signal are set here"
            )
        if array_limit < 1:
            raise FinegrainedError(f"--array-limit must be at least 1, got {array_limit}")
        return cls(options, array_limit)

    @property
    def cores(self) -> int | None:
        """Of a task, where the options say."""
        named = [option.partition("=")[2] for option in self.options if option.startswith("cpus-per-task=")]
        return int(named[-1]) if named and named[-1].isdecimal() else None


@dataclass(frozen=True)
class Submission:
    """What was handed to Slurm.

    Attributes:
        script: the file.
        tasks: of the array.
        cells: that they share out.
        job: its number; "" where there is no sbatch here.
    """

    script: Path
    tasks: int
    cells: int
    job: str = ""


def submit(folder: StudyFolder, study: Study, machine: Machine, site: Site) -> Submission | None:
    """Write the script of the missing cells, and hand it to sbatch where there is one.

    Returns:
        what was submitted; None where nothing is missing.
    Raises:
        FinegrainedError: sbatch refused; what it said.
    """
    missing = [cell for cell in study.cells if not folder.run(cell).is_done]
    if not missing:
        return None
    tasks = min(len(missing), site.array_limit)
    script = _write(folder, study, machine, site, missing, tasks)
    job = _sbatch(script) if shutil.which("sbatch") else ""
    return Submission(script, tasks, len(missing), job)


def share_of(names: list[str], task: int, tasks: int) -> list[str]:
    """The cells of one task: those that are compared with each other stand side by side and go to different tasks.

    >>> [share_of(["a", "b", "c", "d", "e"], task, 2) for task in range(2)]
    [['a', 'c', 'e'], ['b', 'd']]
    """
    return names[task::tasks]


def _write(folder: StudyFolder, study: Study, machine: Machine, site: Site, missing: list[Cell], tasks: int) -> Path:
    place = folder.folder.absolute() / "slurm"
    number = 1
    while not files.create_bytes(place / f"{number}.cells", "".join(f"{cell.name}\n" for cell in missing).encode()):
        number += 1
    text = SCRIPT.format(
        options="\n".join(f"#SBATCH --{option}" for option in _options(place, study, machine, site, tasks)),
        cells=f"{len(missing)} cells",
        environment=f"export PYTHONPATH={shlex.quote(':'.join(path for path in sys.path if path))}",
        command=shlex.join(_command(folder, machine, place / f"{number}.cells", tasks)),
    )
    files.write_text(place / f"{number}.sbatch", text)
    return place / f"{number}.sbatch"


def _options(place: Path, study: Study, machine: Machine, site: Site, tasks: int) -> list[str]:
    own = {
        "job-name": f"fgcrl-{place.parent.name}",
        "output": f"{place}/%A_%a.log",
        "open-mode": "append",  # the log of a task that is queued again goes on
        "cpus-per-task": str(study.threads * machine.jobs),
    }
    named = {option.partition("=")[0] for option in site.options}
    defaults = [f"{name}={value}" for name, value in own.items() if name not in named]
    return [f"array=0-{tasks - 1}", "requeue", f"signal=B:TERM@{WARNING_SECONDS}", *defaults, *site.options]


def _command(folder: StudyFolder, machine: Machine, cells: Path, tasks: int) -> list[str]:
    words = ["--cells", str(cells), "--tasks", str(tasks), "--orders", str(count_orders(folder.folder))]
    words += ["--jobs", str(machine.jobs), "--share", str(machine.share)]
    words += ["--device", machine.device, "--data-in", machine.data_in]
    words += ["--checkpoint-seconds", str(machine.checkpoint_seconds)]
    words += ["--accept-changed-data"] if machine.accept_changed_data else []
    module = "finegrained_crl.crossval.slurm_task"
    return [sys.executable, "-m", module, str(folder.folder.absolute()), *words, "--task"]


def _sbatch(script: Path) -> str:
    done = subprocess.run(["sbatch", "--parsable", str(script)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise FinegrainedError(f"sbatch refused {script}: {said}; options of your site go to --slurm")
    return done.stdout.strip().partition(";")[0]
