"""What the launcher makes of what Ray says, with a stand-in for Ray; test_ray_cluster.py has the real one."""

import contextlib
import json
import sys
from types import SimpleNamespace

import pytest
from stub_cells import commit, study_of

from finegrained_crl.crossval import ray_launcher as module
from finegrained_crl.crossval import taking
from finegrained_crl.crossval.leases import End
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.ray_launcher import Cluster, RayLauncher, connected
from finegrained_crl.errors import FinegrainedError


class RayError(Exception):
    pass


class OutOfMemoryError(RayError):
    pass


class StandIn:
    """Ray whose tasks end at once, each as `outcome(order, options)` says; an exception is raised by `get`."""

    exceptions = SimpleNamespace(RayError=RayError, OutOfMemoryError=OutOfMemoryError)

    def __init__(self, outcome, nodes):
        self.outcome, self.resources, self.tasks = outcome, nodes, []

    def nodes(self):
        return [{"Alive": True, "Resources": node} for node in self.resources]

    def cluster_resources(self):
        return {key: sum(node.get(key, 0) for node in self.resources) for key in ("CPU", "GPU")}

    def remote(self, _function):
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=lambda *a: self._start(options, *a)))

    def _start(self, options, order, _term):
        self.tasks.append((order, options))
        return len(self.tasks) - 1

    def wait(self, references, **_how):
        return references[:1], references[1:]

    def get(self, reference):
        ended = self.outcome(*self.tasks[reference])
        if isinstance(ended, Exception):
            raise ended
        return ended

    def cancel(self, _reference, *, force):
        assert not force


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Runs a study of cells on a stand-in: the launcher and what Ray was asked."""
    monkeypatch.setattr(taking, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)

    def run(outcome, *, cells=3, nodes=({"CPU": 4.0},), threads=1, **cluster):
        folder, study = study_of(tmp_path / "study", cells, threads=threads)
        ray = StandIn(lambda order, options: outcome(folder, order, options), nodes)
        monkeypatch.setattr(module, "connected", lambda _: contextlib.nullcontext(ray))
        launcher = RayLauncher(folder, study, Machine(), Cluster(**cluster), lambda *_: None, lambda: None)
        launcher.run()
        return launcher, ray.tasks

    return run


def commits(folder, order, _options):
    commit(folder.folder / "cells" / order.cell)
    return End("committed", seconds=2.0)


def test_every_cell_is_a_task(launch):
    launcher, tasks = launch(commits, scratch="/scratch")
    assert [order.cell for order, _ in tasks] == ["ce_s0", "ce_s1", "ce_s2"]
    assert tasks[0][1] == {"max_retries": 0, "name": "ce_s0", "num_cpus": 1, "num_gpus": 0.0}
    assert (tasks[0][0].over, tasks[0][0].scratch) == (0, "/scratch")
    assert {(status.state, status.seconds) for status in launcher.status.values()} == {("done", 2.0)}


def test_a_share_of_a_card(launch):
    _, tasks = launch(commits, nodes=({"CPU": 8.0, "GPU": 1.0},), threads=2, share=0.25)
    assert (tasks[0][1]["num_cpus"], tasks[0][1]["num_gpus"], tasks[0][0].gpus) == (2, 0.25, 0.25)


def test_out_of_memory_is_tried_with_a_larger_share_up_to_the_whole_card(launch):
    def outcome(folder, order, options):
        fits = order.cell == "ce_s0" and order.gpus == 0.5
        return commits(folder, order, options) if fits else End("failed", "CUDA out of memory")

    launcher, tasks = launch(outcome, cells=2, nodes=({"CPU": 8.0, "GPU": 1.0},), share=0.25)
    assert sorted((order.cell, order.gpus) for order, _ in tasks) == [
        *(("ce_s0", 0.25), ("ce_s0", 0.5)),
        *(("ce_s1", 0.25), ("ce_s1", 0.5), ("ce_s1", 1.0)),
    ]
    assert launcher.failed == {"ce_s1": "CUDA out of memory"}


def test_without_a_card_it_gets_more_of_the_machine(launch):
    def outcome(folder, order, options):
        enough = options["num_cpus"] == 4
        return commits(folder, order, options) if enough else OutOfMemoryError("Task was killed\nby the monitor")

    launcher, tasks = launch(outcome, cells=1, nodes=({"CPU": 4.0},))
    assert [options["num_cpus"] for _, options in tasks] == [1, 2, 4]
    assert launcher.status["ce_s0"].state == "done"


def test_the_node_has_noted_the_failure_before_it_is_tried_again(launch):
    """A node ends its lease as failed; that is no other launcher's failure, which would be the last word."""

    def outcome(folder, order, options):
        lease = folder.folder / "claims" / f"{order.cell}.{order.over + 1}"
        lease.parent.mkdir(exist_ok=True)
        lease.write_text("{}")
        fits = options["num_cpus"] == 2
        end = commits(folder, order, options) if fits else End("failed", "CUDA out of memory")
        lease.with_name(f"{lease.name}.end").write_text(json.dumps(vars(end)))
        return end

    launcher, tasks = launch(outcome, cells=1, nodes=({"CPU": 4.0},))
    assert [(order.over, options["num_cpus"]) for order, options in tasks] == [(0, 1), (1, 2)]
    assert launcher.status["ce_s0"].state == "done"


def test_another_failure_is_one(launch):
    launcher, tasks = launch(lambda *_: End("failed", "diverged", 5.0), cells=1)
    assert launcher.failed == {"ce_s0": "diverged"}
    assert len(tasks) == 1


def test_a_dead_worker_is_followed_once_its_lease_is_over_and_not_forever(launch):
    def outcome(folder, order, options):
        if order.cell == "ce_s0" and order.over == 0:
            (folder.folder / "claims").mkdir(exist_ok=True)
            (folder.folder / "claims" / "ce_s0.1").write_text("{}")
            (folder.folder / "claims" / "ce_s0.1.end").write_text('{"outcome": "released"}')
            return RayError("node died\nof old age")
        return RayError("worker crashed") if order.cell == "ce_s1" else commits(folder, order, options)

    launcher, tasks = launch(outcome, cells=2)
    assert [order.over for order, _ in tasks if order.cell == "ce_s0"] == [0, 1]
    assert launcher.failed == {"ce_s1": "its worker died 3 times: worker crashed"}
    assert [order.cell for order, _ in tasks].count("ce_s1") == 3


def test_what_another_launcher_has_is_left_to_it(launch):
    asked = []

    def outcome(folder, order, options):
        asked.append(order.cell)
        return None if len(asked) == 1 else commits(folder, order, options)

    launcher, tasks = launch(outcome, cells=1)
    assert len(tasks) == 2
    assert launcher.status["ce_s0"].state == "done"


def test_a_cluster_on_which_no_cell_fits_is_one_line(launch):
    with pytest.raises(FinegrainedError, match="no node of the Ray cluster has 8 CPUs"):
        launch(commits, threads=8)


def test_without_ray_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FinegrainedError, match=r"pip install 'finegrained-crl\[ray\]'"), connected(Cluster()):
        pass
    assert module.os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_no_cluster_is_one_line_and_signals_stay_ours(monkeypatch):
    said = []

    def init(**how):
        said.append(how)
        raise ConnectionError("nobody there\nat all")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(FinegrainedError, match="no Ray cluster at host:1: nobody there"), connected(Cluster("host:1")):
        pass
    assert said[0]["address"] == "host:1"
