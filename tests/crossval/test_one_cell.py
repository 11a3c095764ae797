"""One cell, from its claim to its end, in the process that is asked for it."""

import pytest
from stub_cells import Endless, Instant, commit, study_of

from finegrained_crl.crossval import one_cell
from finegrained_crl.crossval.leases import End, LeaseFiles, Leases
from finegrained_crl.crossval.one_cell import Order, run_one
from finegrained_crl.crossval.worker import Heart, Worker


@pytest.fixture
def leases(tmp_path, monkeypatch):
    monkeypatch.setattr(one_cell, "POLL_SECONDS", 0.0)
    study_of(tmp_path, 2)
    heart = Heart(LeaseFiles(tmp_path).workers, Worker("w"))
    heart.beat()
    return Leases(tmp_path, heart, known={})


@pytest.fixture
def order(tmp_path):
    return Order(tmp_path, "ce_s0", 0, ("--device", "cpu"), threads=3, gpus=0.25)


def test_a_cell_runs_and_is_given_back(leases, order, tmp_path):
    starter = Instant()
    end = run_one(order, leases, starter)
    assert (end.outcome, end.reason, end.threads, end.gpus) == ("committed", "", 3, 0.25)
    assert leases.read_end("ce_s0", 1) == end
    assert (tmp_path / "cells" / "ce_s0" / "COMMITTED").exists()
    assert run_one(Order(tmp_path, "ce_s0", 1, (), 1), leases, starter).outcome == "committed"
    assert starter.started == ["ce_s0"]  # it was done already


def test_it_is_told_what_to_do(leases, order, tmp_path, monkeypatch):
    seen = []
    starter = Instant()
    start = starter.start
    monkeypatch.setattr(starter, "start", lambda words, **how: seen.append((words, how["own"])) or start(words, **how))
    run_one(order, leases, starter, {"A": "B"})
    ((words, own),) = seen
    assert words == [
        *("finetune", "--recipe", str(tmp_path / "recipes" / "ce_s0.yaml")),
        *("--out", str(tmp_path / "cells" / "ce_s0"), "--resume", "--device", "cpu"),
    ]
    assert own == {"A": "B", "FINEGRAINED_CRL_SUCCESSOR": str(tmp_path / "claims" / "ce_s0.2")}


def test_what_another_worker_has_is_left(leases, order):
    leases.claim("ce_s0")
    assert run_one(order, leases, Instant()) is None


def test_what_the_launcher_saw_fall_silent_is_taken_without_watching_again(leases, tmp_path):
    leases.claim("ce_s0")  # by a worker that seems alive to who looks for the first time
    order = Order(tmp_path, "ce_s0", 1, (), 1)
    assert run_one(order, leases, Instant()).outcome == "committed"
    assert leases.read_end("ce_s0", 2).outcome == "committed"


def test_a_failure_and_its_reason(leases, order):
    end = run_one(order, leases, Instant(1, "fgcrl finetune: error: CUDA out of memory\n"))
    assert (end.outcome, end.reason) == ("failed", "CUDA out of memory")


class Starter(Instant):
    """Starts a cell that does not end; `then` is done while it is waited for."""

    def __init__(self, then):
        super().__init__()
        self.cell, self.then = Endless(), then

    def start(self, *_, **__):
        return self.cell

    def wait_for_end(self, _seconds):
        self.then()


def test_a_lost_lease_ends_the_cell(leases, order, tmp_path):
    starter = Starter(lambda: (tmp_path / "claims" / "ce_s0.2").touch())
    assert run_one(order, leases, starter).outcome == "released"
    assert starter.cell.signals == ["kill"]


def test_who_is_stopped_lets_the_cell_save_and_gives_it_back(leases, order):
    def stop():
        raise KeyboardInterrupt

    starter = Starter(stop)
    with pytest.raises(KeyboardInterrupt):
        run_one(order, leases, starter)
    assert starter.cell.signals == ["terminate"]
    assert leases.read_end("ce_s0", 1).outcome == "released"


def test_a_cell_on_a_node_comes_home(leases, order, tmp_path):
    there = Order(tmp_path, "ce_s0", 0, (), 1, scratch=str(tmp_path / "node"))
    assert run_one(there, leases, Instant()).outcome == "committed"
    assert (tmp_path / "cells" / "ce_s0" / "COMMITTED").exists()
    assert not list((tmp_path / "node").glob("*/ce_s0"))


def test_a_cell_that_was_lost_does_not_come_home(leases, tmp_path):
    class Losing(Instant):
        def start(self, words, **how):
            (tmp_path / "claims" / "ce_s0.2").touch()
            return super().start(words, **how)

    there = Order(tmp_path, "ce_s0", 0, (), 1, scratch=str(tmp_path / "node"))
    assert run_one(there, leases, Losing()).outcome == "failed"
    assert not (tmp_path / "cells" / "ce_s0").exists()


def test_what_was_finished_before_the_claim_is_not_run(leases, order, tmp_path):
    commit(tmp_path / "cells" / "ce_s0")
    starter = Instant()
    assert run_one(order, leases, starter) == End("committed")
    assert starter.started == []
