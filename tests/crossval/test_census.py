"""Where a study stands, as its folder says: states, costs, the expected end."""

import os
import time

import pytest
from stub_cells import commit, study_of

from finegrained_crl.crossval import leases as module
from finegrained_crl.crossval.census import as_plain, take_census
from finegrained_crl.crossval.leases import End, LeaseFiles, Leases
from finegrained_crl.crossval.worker import Heart, Worker


@pytest.fixture
def study(tmp_path):
    return study_of(tmp_path, 6, threads=2)


@pytest.fixture
def leases(tmp_path, study):
    heart = Heart(LeaseFiles(tmp_path).workers, Worker("w", host="node7", pid=42, launcher="slurm", term=60.0))
    heart.beat()
    return Leases(tmp_path, heart)


@pytest.fixture
def busy(study, leases):
    """One cell of each state: committed in the second go, failed, running, of a dead worker, released, untouched."""
    folder, _ = study
    leases.end(leases.claim("ce_s0"), End("released", seconds=100.0, threads=2))
    commit(folder.run(folder.read().cells[0]).folder)
    leases.end(leases.claim("ce_s0"), End("committed", seconds=3600.0, threads=2, gpus=0.5))
    leases.end(leases.claim("ce_s1"), End("failed", "diverged", 360.0, threads=2))
    leases.claim("ce_s2")
    here = Worker.here()
    dead = Worker.from_dict({**here.as_dict(), "name": "dead", "started": here.started - 1})
    Leases(folder.folder, Heart(leases.workers, dead)).claim("ce_s3")
    leases.end(leases.claim("ce_s4"), End("released"))
    return take_census(*study)


def test_each_state(busy):
    assert [cell.state for cell in busy.cells.values()] == [
        *("committed", "failed", "running", "stale", "waiting", "waiting")
    ]
    assert busy.counts == {"committed": 1, "running": 1, "stale": 1, "failed": 1, "waiting": 2}
    assert [cell.tries for cell in busy.cells.values()] == [2, 1, 1, 1, 1, 0]
    assert busy.cells["ce_s1"].reason == "diverged"
    assert busy.cells["ce_s2"].by == "node7:42 (slurm)"


def test_cost_and_end(busy):
    assert busy.cost["core_hours"] == pytest.approx((100 + 3600 + 360) * 2 / 3600, abs=0.01)
    assert busy.cost["core_hours_of_failures"] == pytest.approx(0.2)
    assert busy.cost["gpu_hours"] == pytest.approx(0.5)
    assert busy.cell_seconds == 3600
    assert busy.seconds_left == pytest.approx(4 * 3600, abs=5)  # waiting, stale, and one that just began, one at a time
    assert as_plain(busy)["expected_end"].endswith("Z")


def test_a_worker_that_fell_silent_is_stale_by_the_folders_clock(study, leases):
    leases.claim("ce_s2")
    old = time.time() - 61
    os.utime(leases.heart.file, (old, old))
    assert take_census(*study).cells["ce_s2"].state == "stale"
    leases.heart.beat()
    assert take_census(*study).cells["ce_s2"].state == "running"


def test_a_dead_worker_is_stale_at_once(study, leases):
    here = Worker.here()
    heart = Heart(leases.workers, Worker.from_dict({**here.as_dict(), "name": "dead", "started": here.started - 1}))
    heart.beat()
    Leases(study[0].folder, heart).claim("ce_s3")
    assert take_census(*study).cells["ce_s3"].state == "stale"


def test_the_last_lease_counts_and_what_runs_costs(study, leases, monkeypatch):
    leases.end(leases.claim("ce_s0"), End("failed", "diverged"))
    hour_ago = time.time() - 3600
    monkeypatch.setattr(module.time, "time", lambda: hour_ago)
    leases.claim("ce_s0")
    monkeypatch.undo()
    census = take_census(*study)
    assert census.cells["ce_s0"].state == "running"
    assert census.cost["core_hours"] == pytest.approx(2.0, abs=0.01)


def test_two_that_run_need_half_the_time(study, leases):
    leases.end(leases.claim("ce_s0"), End("committed", seconds=100.0))
    commit(study[0].folder / "cells" / "ce_s0")
    leases.claim("ce_s1")
    assert take_census(*study).seconds_left == pytest.approx(500, abs=5)
    leases.claim("ce_s2")
    assert take_census(*study).seconds_left == pytest.approx(250, abs=5)


def test_an_untouched_study_and_a_finished_one(study):
    folder, plan = study
    census = take_census(folder, plan)
    assert (census.counts["waiting"], census.seconds_left, census.cell_seconds) == (6, None, None)
    for name in plan.cell_names:
        commit(folder.folder / "cells" / name)
    assert take_census(folder, plan).seconds_left == 0.0
    assert not [path for path in folder.folder.iterdir() if path.name == "claims"]


def test_what_is_committed_is_done_whatever_its_lease_says(study, leases):
    leases.claim("ce_s0")
    commit(study[0].folder / "cells" / "ce_s0")
    assert take_census(*study).cells["ce_s0"].state == "committed"
