"""The launcher with a stand-in for `fgcrl finetune`: shares of the machine, failures, what is skipped."""

import json
import sys

import pytest

from finegrained_crl.crossval import launch
from finegrained_crl.crossval.launch import Launcher, Machine, environment, failure_reason
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.training.recipe import Component, Recipe

STAND_IN = """
import json, os, pathlib, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out = pathlib.Path(words["--out"])
out.mkdir(parents=True)
begun = time.time()
(out / "begun").touch()
# Cells that run side by side wait for each other, however busy the machine is.
pair = 2 if out.name in ("ce_f0_s0", "ce_f1_s0") else 4
while len(list(out.parent.glob("*/begun"))) < pair and time.time() < begun + 60:
    time.sleep(0.01)
if "f1" in out.name:
    sys.exit("fgcrl finetune: error: no such luck")
keys = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
(out / "COMMITTED").write_text("{}")
(out / "results.json").write_text(json.dumps({
    "begun": begun, "ended": time.time(), **{key: os.environ.get(key) for key in keys}
}))
"""


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)

    def command(*words):
        flat = [word for word in words if word != "--resume"]
        return [sys.executable, str(script), *flat]

    monkeypatch.setattr(launch, "finetune_command", command)
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2, 3], [0], threads=3))
    told = []
    machine = Machine(jobs=2, gpus=("4", "6"))
    return (
        Launcher(folder, study, machine, lambda cell, status: told.append((cell.name, status.state)), lambda: None),
        told,
    )


def test_cells_run_side_by_side_and_a_failure_stops_nothing(launcher):
    launcher, told = launcher
    launcher.run()
    assert {name: status.state for name, status in launcher.status.items()} == {
        "ce_f0_s0": "done",
        "ce_f1_s0": "failed",
        "ce_f2_s0": "done",
        "ce_f3_s0": "done",
    }
    assert launcher.failed == {"ce_f1_s0": "no such luck"}
    assert sum(state == "running" for _, state in told) == 4
    results = {p.parent.name: json.loads(p.read_text()) for p in launcher.folder.folder.glob("cells/*/results.json")}
    assert {r["OMP_NUM_THREADS"] for r in results.values()} == {"3"}
    assert {r["CUDA_VISIBLE_DEVICES"] for r in results.values()} == {"4", "6"}
    assert any(
        a["begun"] < b["ended"] and b["begun"] < a["ended"]
        for a in results.values()
        for b in results.values()
        if a != b
    )


def test_what_is_done_is_not_run_again(launcher):
    launcher, told = launcher
    for cell in launcher.study.cells:
        run = launcher.folder.run(cell)
        run.folder.mkdir(parents=True)
        run.committed.write_text("{}")
    again = Launcher(launcher.folder, launcher.study, launcher.machine, launcher.tell, launcher.tick)
    again.run()
    assert told == []
    assert {status.state for status in again.status.values()} == {"done"}


def test_reasons(tmp_path):
    log = tmp_path / "log"
    log.write_text("epoch 1/2\nfgcrl finetune: error: training diverged\n\n")
    assert failure_reason(log, 1) == "training diverged"
    assert failure_reason(log, -9) == "ended by signal SIGKILL (out of memory, or killed by hand)"
    log.write_text("")
    assert failure_reason(log, 3) == "exit code 3, no message"


def test_a_share_of_the_machine():
    found = environment(2, "1")
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"], found["CUDA_VISIBLE_DEVICES"]) == ("2", "2", "1")


@pytest.fixture
def started(tmp_path, monkeypatch):
    """How cells would be started: (words, environment) of each."""
    seen = []

    class Started:
        returncode = 0

        def __init__(self, words, *, env, **_how):
            seen.append((words, env))

    monkeypatch.setattr(launch.subprocess, "Popen", Started)
    monkeypatch.setattr(launch, "available_cores", lambda: 12)
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2], [0], threads=4))

    def start(**how):
        seen.clear()
        launcher = Launcher(folder, study, Machine(**how), lambda *_: None, lambda: None)
        jobs = [launcher._start(cell, slot) for slot, cell in enumerate(study.cells)]
        for job in jobs:
            job.log.close()
        return seen

    return start


def value(words, flag):
    return words[words.index(flag) + 1]


def test_each_cell_is_started_with_its_own_recipe_and_goes_on(started):
    for i, (words, env) in enumerate(started(jobs=3)):
        assert value(words, "--recipe").endswith(f"recipes/ce_f{i}_s0.yaml")
        assert value(words, "--out").endswith(f"cells/ce_f{i}_s0")
        assert "--resume" in words
        assert env["OMP_NUM_THREADS"] == env["MKL_NUM_THREADS"] == "4"
        assert (value(words, "--workers"), value(words, "--device")) == ("2", "auto")
        assert "--accept-changed-data" not in words


def test_the_machines_settings_reach_the_cells(started):
    words, _ = started(jobs=3, device="cpu", checkpoint_seconds=7.0, accept_changed_data=True)[0]
    assert (value(words, "--device"), value(words, "--checkpoint-seconds")) == ("cpu", "7.0")
    assert "--accept-changed-data" in words
    on_gpus = started(jobs=3, gpus=("4", "6"))
    assert [env["CUDA_VISIBLE_DEVICES"] for _, env in on_gpus] == ["4", "6", "4"]
    assert {value(words, "--workers") for words, _ in on_gpus} == {"4"}
