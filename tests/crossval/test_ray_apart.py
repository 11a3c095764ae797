"""A launcher whose nodes don't see the study's folder: the cells are its own, and what comes is written home."""

import contextlib
import json
from types import SimpleNamespace

import pytest
from stub_cells import Instant, study_of

from finegrained_crl.crossval import ray_apart, ray_launcher, taking
from finegrained_crl.crossval.apart import run_apart, study_on_node
from finegrained_crl.crossval.leases import End, LeaseFiles, Leases
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.ray_apart import ApartLauncher
from finegrained_crl.crossval.ray_launcher import Cluster
from finegrained_crl.crossval.worker import Heart, Worker
from finegrained_crl.training import committed


class RayError(Exception):
    pass


class OutOfMemoryError(RayError):
    pass


class OneNode:
    """Ray with a node whose tasks have ended when they are submitted, as `outcome(order, run)` says."""

    exceptions = SimpleNamespace(RayError=RayError, OutOfMemoryError=OutOfMemoryError)

    def __init__(self, outcome):
        self.outcome, self.asked = outcome, []

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, function):
        assert function is ray_apart.run_on_node
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._start))

    def _start(self, order, recipe, bring, _term):
        self.asked.append((order, recipe, bring))
        return len(self.asked) - 1

    def wait(self, references, **_how):
        return references[:1], references[1:]

    def get(self, reference):
        order, recipe, bring = self.asked[reference]
        answer = self.outcome(order, lambda: on_node(order, recipe, bring))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, _reference, *, force):
        assert not force


def on_node(order, recipe, bring):
    here = study_on_node(order, recipe)
    with Heart(LeaseFiles(here).workers, Worker("node")) as heart:
        return run_apart(order, recipe, bring, Leases(here, heart), Instant(log="epoch 1\n"), {})


@pytest.fixture
def launch(tmp_path, monkeypatch):
    monkeypatch.setattr(taking, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ray_launcher, "POLL_SECONDS", 0.0)

    def run(outcome=lambda _order, run: run(), *, cells=2, bring="results"):
        folder, study = study_of(tmp_path / "study", cells)
        ray = OneNode(outcome)
        monkeypatch.setattr(ray_launcher, "connected", lambda _: contextlib.nullcontext(ray))
        cluster = Cluster(scratch=str(tmp_path / "node"), share=0.0, bring=bring)
        launcher = ApartLauncher(folder, study, Machine(), cluster, lambda *_: None, lambda: None)
        launcher.run()
        return folder, launcher, ray.asked

    return run


def ends(folder, cell):
    return [json.loads(path.read_text())["outcome"] for path in sorted(folder.folder.glob(f"claims/{cell}.*.end"))]


@pytest.mark.parametrize("bring", ["results", "weights"])
def test_cells_come_home_whole_with_their_logs(launch, bring):
    folder, launcher, asked = launch(bring=bring)
    assert [(order.cell, recipe, asked_for) for order, recipe, asked_for in asked] == [
        (cell, (folder.folder / "recipes" / f"{cell}.yaml").read_text(), bring) for cell in ("ce_s0", "ce_s1")
    ]
    for name in ("ce_s0", "ce_s1"):
        assert launcher.status[name].state == "done"
        assert committed.problems(folder.folder / "cells" / name) == []
        assert ends(folder, name) == ["committed"]
        assert "epoch 1\nthe run is kept at " in (folder.folder / "logs" / f"{name}.log").read_text()


def test_a_dead_node_gives_the_cell_back_and_it_runs_again(launch):
    seen = []
    folder, launcher, _ = launch(
        lambda _, run: seen.append(1) or (RayError("node died") if len(seen) < 3 else run()), cells=1
    )
    assert launcher.status["ce_s0"].state == "done"
    assert ends(folder, "ce_s0") == ["released", "released", "committed"]


def test_a_cell_that_ran_out_of_memory_is_taken_again(launch):
    seen = []
    folder, launcher, _ = launch(
        lambda _, run: seen.append(1) or (OutOfMemoryError("x") if len(seen) < 2 else run()), cells=1
    )
    assert launcher.status["ce_s0"].state == "done"
    assert ends(folder, "ce_s0") == ["failed", "committed"]


def test_a_cell_that_another_process_of_the_node_has_is_asked_for_again(launch):
    seen = []
    folder, launcher, asked = launch(lambda _, run: seen.append(1) or (None if len(seen) == 1 else run()), cells=1)
    assert (len(asked), launcher.status["ce_s0"].state) == (2, "done")
    assert ends(folder, "ce_s0") == ["released", "committed"]


def test_what_ray_has_when_the_launcher_is_stopped_is_given_back(launch, tmp_path):
    def stop(_order, _run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(stop)
    claims = LeaseFiles(tmp_path / "study")
    assert [claims.read_end(cell, 1) for cell in ("ce_s0", "ce_s1")] == [End("released")] * 2


def test_what_comes_after_another_launcher_took_the_cell_is_left(launch):
    def outcome(order, run):
        answer = run()
        successor = order.study / "claims" / f"{order.cell}.2"
        if not successor.exists():
            successor.write_text("{}")
            successor.with_name(f"{successor.name}.end").write_text(json.dumps(vars(End("failed", "diverged"))))
        return answer

    folder, launcher, _ = launch(outcome, cells=1)
    assert launcher.failed == {"ce_s0": "diverged"}
    assert not (folder.folder / "cells" / "ce_s0").exists()
