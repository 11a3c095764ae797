"""The launcher with a stand-in for `fgcrl finetune`: shares of the machine, failures, what is skipped."""

import json
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from stub_cells import Ended, Endless, Instant, study_of

from finegrained_crl.crossval import launch, machine, orders, processes, taking
from finegrained_crl.crossval.launch import Launcher, failure_reason
from finegrained_crl.crossval.leases import End, Lease
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.processes import FreshProcesses
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.run_folder import RunFolder

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

    def command(_module, _finetune, *words):
        flat = [word for word in words if word != "--resume"]
        return [sys.executable, str(script), *flat]

    monkeypatch.setattr(processes, "python", command)
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2, 3], [0], threads=3))
    told = []
    machine = Machine(jobs=2, gpus=("4", "6"))
    return (
        Launcher(
            *(folder, study, machine, FreshProcesses(study.threads)),
            *(lambda cell, status: told.append((cell.name, status.state)), lambda: None),
        ),
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
    again = Launcher(
        *(launcher.folder, launcher.study, launcher.machine, launcher.processes), *(launcher.taking.tell, launcher.tick)
    )
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


@pytest.fixture
def started(tmp_path, monkeypatch):
    """How cells would be started: (words, own environment) of each."""
    seen = []
    starter = SimpleNamespace(start=lambda words, *, own, **_how: seen.append((words, own)))
    monkeypatch.setattr(machine, "available_cores", lambda: 12)
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2], [0], threads=4))

    def start(**how):
        seen.clear()
        launcher = Launcher(folder, study, Machine(**how), starter, lambda *_: None, lambda: None)
        for slot, cell in enumerate(study.cells):
            launcher._start(cell, Lease(cell.name, 1, launcher.heart.worker), slot)
        return seen

    return start


def value(words, flag):
    return words[words.index(flag) + 1]


def test_each_cell_is_started_with_its_own_recipe_and_goes_on(started):
    for i, (words, _) in enumerate(started(jobs=3)):
        assert value(words, "--recipe").endswith(f"recipes/ce_f{i}_s0.yaml")
        assert value(words, "--out").endswith(f"cells/ce_f{i}_s0")
        assert "--resume" in words
        assert words[0] == "finetune"
        assert (value(words, "--workers"), value(words, "--device")) == ("2", "auto")
        assert "--accept-changed-data" not in words


def test_the_machines_settings_reach_the_cells(started):
    words, _ = started(jobs=3, device="cpu", checkpoint_seconds=7.0, accept_changed_data=True, data_in="memory")[0]
    assert value(words, "--data-in") == "memory"
    assert (value(words, "--device"), value(words, "--checkpoint-seconds")) == ("cpu", "7.0")
    assert "--accept-changed-data" in words
    on_gpus = started(jobs=3, gpus=("4", "6"))
    assert [own["CUDA_VISIBLE_DEVICES"] for _, own in on_gpus] == ["4", "6", "4"]
    assert {value(words, "--workers") for words, _ in on_gpus} == {"4"}


def test_cells_that_want_more_cores_than_there_are_are_told(monkeypatch):
    monkeypatch.setattr(machine, "available_cores", lambda: 4)
    assert [Machine(jobs).crowding(threads) for jobs, threads in ((2, 2), (4, 1), (1, 8))] == ["", "", ""]
    assert Machine(4, gpus=("0",)).crowding(2) == ""
    assert Machine(4).crowding(2).startswith("4 cells x 2 threads on 4 cores: they wait for each other, --jobs 2 fits")


class Patient:
    """Stands for a cell that ends when it has been asked three times."""

    running = most = 0

    def __init__(self, code=1):
        self.asked, self.returncode, self.code = 0, None, code
        Patient.running += 1
        Patient.most = max(Patient.most, Patient.running)

    def poll(self):
        self.asked += 1
        if self.asked == 3:
            self.returncode, Patient.running = self.code, Patient.running - 1
        return self.returncode

    def wait(self, _timeout=None):
        return self.returncode


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_as_many_cells_as_jobs_run_at_once(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(Patient, "most", 0)
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2, 3], [0], threads=1))
    starter = SimpleNamespace(start=lambda *_, **__: Patient(), wait_for_end=time.sleep)
    Launcher(folder, study, Machine(jobs=jobs), starter, lambda *_: None, lambda: None).run()
    assert Patient.most == jobs


@pytest.mark.parametrize(
    ("code", "commits", "state"), [(0, True, "done"), (0, False, "failed"), (1, True, "failed"), (1, False, "failed")]
)
def test_done_is_what_ended_well_and_committed(code, commits, state, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "POLL_SECONDS", 0.0)
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0], [0], threads=1))
    (cell,) = study.cells

    def start(*_, **__):
        folder.run(cell).folder.mkdir(parents=True)
        if commits:
            folder.run(cell).committed.write_text("{}")
        return Patient(code)

    launcher = Launcher(
        folder, study, Machine(), SimpleNamespace(start=start, wait_for_end=time.sleep), lambda *_: None, lambda: None
    )
    launcher.run()
    assert launcher.status[cell.name].state == state


@pytest.mark.parametrize(("jobs", "rounds"), [(1, 3), (2, 2), (3, 1)])
def test_the_time_left_is_that_of_the_rounds_that_are_missing(jobs, rounds, tmp_path):
    """Two of five cells are done, in 10 and 20 seconds."""
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2, 3, 4], [0], threads=1))
    for cell, seconds in zip(study.cells, ([4, 6], [5, 15]), strict=False):
        run = folder.run(cell)
        run.folder.mkdir(parents=True)
        run.epochs.write_text("epoch,seconds\n" + "".join(f"{i},{s}\n" for i, s in enumerate(seconds)))
        run.committed.write_text("{}")
    expected = launch.expected_seconds(folder, study, Machine(jobs=jobs), None)
    assert expected == rounds * (15 + launch.STARTUP_SECONDS)


def test_without_a_finished_cell_the_first_is_tried(tmp_path):
    folder = StudyFolder(tmp_path / "study")
    study = folder.write(Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2], [0], threads=1))
    seen = []

    def start(words, *, log, output, own):
        seen.append((words, own))
        output.write_text(json.dumps({"expected_seconds": 1000.0}))
        log.write_text("a note\nfgcrl finetune: error: no such luck\n")
        return SimpleNamespace(wait=lambda: len(seen) - 1)

    starter, machine = SimpleNamespace(start=start), Machine(jobs=2, gpus=("4", "6"), device="cpu")
    assert launch.expected_seconds(folder, study, machine, starter) == pytest.approx(2 * 1000, abs=60)
    words, own = seen[0]
    assert (value(words, "--recipe"), value(words, "--device")) == (str(folder.recipe(study.cells[0])), "cpu")
    assert "--dry-run" in words
    assert own == {"CUDA_VISIBLE_DEVICES": "4"}
    with pytest.raises(FinegrainedError, match=r"^no such luck$"):
        launch.expected_seconds(folder, study, machine, starter)


# Several launchers, and launchers that stop.


@pytest.fixture
def stubs(tmp_path, monkeypatch):
    """A launcher of a study of four cells, with what starts them."""
    monkeypatch.setattr(launch, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(taking, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(orders, "LOOK_SECONDS", 0.0)
    folder, study = study_of(tmp_path / "study", 4)

    def make(starter, tick=lambda: None, **how):
        return Launcher(folder, study, Machine(), starter, lambda *_: None, tick, **how)

    return make


def test_two_launchers_share_a_study(stubs):
    starters = Instant(), Instant()
    launchers = [stubs(starter) for starter in starters]
    threads = [threading.Thread(target=launcher.run) for launcher in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(starters[0].started + starters[1].started) == ["ce_s0", "ce_s1", "ce_s2", "ce_s3"]
    assert {status.state for launcher in launchers for status in launcher.status.values()} == {"done"}


def test_a_cell_elsewhere_is_waited_for_and_taken_over(stubs):
    other = stubs(Instant())
    other.taking.leases.heart.beat()
    cell, lease = other.taking.next()
    ticks = []

    def tick():
        ticks.append(mine.status[cell.name].state)
        if len(ticks) == 6:
            other.taking.leases.end(lease, End("released"))

    mine = stubs(Instant(), tick)
    mine.run()
    assert "elsewhere" in ticks
    assert mine.status[cell.name].state == "done"
    assert mine.processes.started[-1] == cell.name


def test_a_stopped_launcher_gives_its_cells_back(stubs):
    def stop():
        raise KeyboardInterrupt

    cell = Endless()
    launcher = stubs(SimpleNamespace(start=lambda *_, **__: cell, wait_for_end=lambda _: None), stop)
    with pytest.raises(KeyboardInterrupt):
        launcher.run()
    assert cell.signals == ["terminate"]
    assert launcher.taking.leases.read_end("ce_s0", 1).outcome == "released"
    assert not launcher.heart.file.exists()


def test_an_order_stops_a_launcher(stubs, tmp_path):
    cell = Endless()
    starter = SimpleNamespace(start=lambda *_, **__: cell, wait_for_end=lambda _: None)
    launcher = stubs(starter, lambda: orders.give_order(tmp_path / "study"))
    with pytest.raises(orders.CancelledError, match="cells under way have saved"):
        launcher.run()
    assert cell.signals == ["terminate"]
    again = stubs(Instant())
    again.run()
    assert {status.state for status in again.status.values()} == {"done"}


def test_a_launcher_ends_the_cells_that_it_lost(stubs, tmp_path):
    cells = []

    def start(*_, **__):
        cells.append(Endless() if not cells else Ended(1))
        return cells[-1]

    def lose():
        claims = tmp_path / "study" / "claims"
        if not (claims / "ce_s0.2").exists():
            (claims / "ce_s0.2").write_text("{}")
            (claims / "ce_s0.2.end").write_text('{"outcome": "failed", "reason": "elsewhere too"}')

    launcher = stubs(SimpleNamespace(start=start, wait_for_end=lambda _: None), lose)
    launcher.run()
    assert cells[0].signals == ["kill"]
    assert launcher.failed["ce_s0"] == "elsewhere too"
    assert len(cells) == 4


def test_a_cell_that_another_process_still_trains_is_waited_for(stubs, monkeypatch):
    locked, lock = ["ce_s0"], RunFolder.lock

    def is_held(run):
        if run.folder.name in locked:
            raise FinegrainedError("another process is training in it")
        return lock(run)

    class Late(Instant):
        def start(self, words, *, log, **how):
            cell = log.stem
            if cell in locked and cell not in self.started:
                self.started.append(cell)
                launcher.folder.run(launcher.study.cells[0]).folder.mkdir(parents=True)
                monkeypatch.setattr(RunFolder, "lock", is_held)
                return Ended(1)
            return super().start(words, log=log, **how)

    launcher = stubs(Late(), lambda: locked.clear() if len(launcher.processes.started) == 4 else None)
    launcher.run()
    assert launcher.failed == {}
    assert launcher.processes.started[-1] == "ce_s0"


def test_a_cell_knows_the_file_that_says_it_was_lost(started):
    for i, (_, own) in enumerate(started(jobs=3)):
        assert own["FINEGRAINED_CRL_SUCCESSOR"].endswith(f"claims/ce_f{i}_s0.2")


def test_what_a_cell_took_stands_in_its_lease(stubs):
    launcher = stubs(Instant(code=1, log="fgcrl finetune: error: no such luck"))
    launcher.machine = Machine(gpus=("4",), share=0.25)
    launcher.run()
    end = launcher.taking.leases.read_end("ce_s0", 1)
    assert (end.outcome, end.reason, end.threads, end.gpus) == ("failed", "no such luck", 1, 0.25)
    assert end.seconds > 0
