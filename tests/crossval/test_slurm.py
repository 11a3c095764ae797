"""Scripts for Slurm, run by a stub on this machine: every cell once, also after a time-out."""

import contextlib
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
import slurm_here
from stub_cells import commit, stub_commands, study_of

from finegrained_crl.crossval import slurm_task
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.orders import give_order
from finegrained_crl.crossval.slurm import Site, _command, share_of, submit
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError

CPU = Machine(jobs=1, device="cpu")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A cluster that runs what it is handed, with cells that train nothing."""
    monkeypatch.syspath_prepend(stub_commands(tmp_path / "stub"))
    commands = slurm_here.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return commands


def ran(folder):
    return (folder.folder / "ran.txt").read_text().splitlines()


def test_every_cell_runs_once_and_a_task_that_times_out_goes_on(slurm, tmp_path, monkeypatch):
    folder, study = study_of(tmp_path / "study", 3)
    monkeypatch.setenv("STUB_TIME_OUT", "1")
    monkeypatch.setenv("STUB_SECONDS", "0.3")
    submission = submit(folder, study, CPU, Site(array_limit=2))
    assert (submission.job, submission.tasks, submission.cells) == ("77", 2, 3)
    assert all(folder.run(cell).is_done for cell in study.cells)
    notes = ran(folder)
    assert sorted(line for line in notes if line.startswith("ended")) == [f"ended ce_s{i}" for i in range(3)]
    assert not [line for line in notes if line.split()[0] in ("again", "twice", "lost")]
    assert (folder.folder / "slurm" / "stub.txt").read_text() == "77_1\n"
    assert "asked to stop: the cells have saved" in (folder.folder / "slurm" / "77_1.log").read_text()
    assert submit(folder, study, CPU, Site()) is None


def test_a_cancelled_study_is_not_queued_again(slurm, tmp_path):
    folder, study = study_of(tmp_path / "study", 2)
    script = Path("no sbatch yet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finegrained_crl.crossval.slurm.shutil.which", lambda _: None)
        script = submit(folder, study, CPU, Site()).script
    give_order(folder.folder)
    slurm_here.sbatch(script)
    assert "cancelled by" in (folder.folder / "slurm" / "77_0.log").read_text()
    assert not (folder.folder / "ran.txt").exists()
    assert not (folder.folder / "slurm" / "stub.txt").exists()


def test_the_script(tmp_path, monkeypatch):
    monkeypatch.setattr("finegrained_crl.crossval.slurm.shutil.which", lambda _: None)
    folder, study = study_of(tmp_path / "a study", 3, threads=2)
    commit(folder.run(study.cells[1]).folder)
    machine = Machine(jobs=4, device="cpu", checkpoint_seconds=7.0, accept_changed_data=True, share=0.25)
    site = Site.of(["partition=gpu --gres=gpu:1", "output=elsewhere"], 2)
    submission = submit(folder, study, machine, site)
    text = submission.script.read_text()
    assert text.startswith("#!/bin/bash\n#SBATCH --array=0-1\n#SBATCH --requeue\n#SBATCH --signal=B:TERM@120\n")
    assert (
        "#SBATCH --cpus-per-task=8\n#SBATCH --partition=gpu\n#SBATCH --gres=gpu:1\n#SBATCH --output=elsewhere" in text
    )
    assert text.count("--output=") == 1
    assert "--data-in auto --checkpoint-seconds 7.0 --accept-changed-data --task " in text
    assert "a study'" in text
    assert submission.script.with_suffix(".cells").read_text() == "ce_s0\nce_s2\n"
    again = submit(folder, study, machine, site)
    assert again.script.name == "2.sbatch"


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_tasks_share_all_cells_out(count):
    names = [f"c{i}" for i in range(1000)]
    shares = [share_of(names, task, count) for task in range(count)]
    assert sorted(name for share in shares for name in share) == sorted(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_what_sbatch_says_is_said(slurm, tmp_path):
    folder, study = study_of(tmp_path / "study", 1)
    (slurm / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: invalid partition' >&2; exit 1\n")
    (slurm / "sbatch").chmod(stat.S_IRWXU)
    with pytest.raises(FinegrainedError, match=r"sbatch refused .*1\.sbatch: sbatch: error: invalid partition"):
        submit(folder, study, CPU, Site())


@pytest.mark.parametrize("word", ["array=0-9", "signal=B:USR1@60", "-", "=x", "mem=1\n#SBATCH --x"])
def test_options_that_are_none(word):
    with pytest.raises(FinegrainedError, match="give sbatch's options as"):
        Site.of([word if "\n" not in word else f"'{word}'"], 10)


def test_a_task_runs_cells_as_the_study_was_told_to(tmp_path):
    machine = Machine(3, (), "cpu", 7.0, True, "memory", 0.5)
    words = _command(StudyFolder(tmp_path), machine, tmp_path / "1.cells", 4)
    asked = slurm_task._parse([*words[3:], "2"])
    assert slurm_task._machine(asked) == machine
    assert (asked.task, asked.tasks, asked.orders) == (2, 4, 0)


@pytest.mark.parametrize(("failed", "code"), [({}, 0), ({"ce_s0": "diverged"}, 1)])
def test_a_task_whose_cells_failed_says_so_by_its_exit_code(failed, code, tmp_path, monkeypatch):
    folder, _ = study_of(tmp_path / "study", 1)
    launcher = SimpleNamespace(run=lambda: None, failed=failed)
    monkeypatch.setattr(slurm_task, "Launcher", lambda *_, **__: launcher)
    monkeypatch.setattr(slurm_task, "processes", lambda *_: contextlib.nullcontext())
    (tmp_path / "1.cells").write_text("ce_s0\n")
    assert slurm_task.main([*_command(folder, CPU, tmp_path / "1.cells", 1)[3:], "0"]) == code
