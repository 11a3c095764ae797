"""What a worker takes, and what it makes of the cells that others have."""

import pytest
from stub_cells import commit, study_of

from finegrained_crl.crossval import taking as module
from finegrained_crl.crossval.leases import End, LeaseFiles, Leases
from finegrained_crl.crossval.taking import Status, Taking
from finegrained_crl.crossval.worker import Heart, Worker
from finegrained_crl.training.run_folder import RunFolder


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """Makes workers of a study of three cells, each with the list of what it was told."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    folder, study = study_of(tmp_path, 3)

    def make(name):
        heart = Heart(LeaseFiles(tmp_path).workers, Worker(name))
        heart.beat()
        told = []
        leases = Leases(tmp_path, heart)
        return Taking(folder, study.cells, leases, lambda cell, status: told.append((cell.name, status.state))), told

    return make


def states(taking):
    return [status.state for status in taking.status.values()]


def test_cells_come_in_order_and_each_once(workers):
    taking, told = workers("a")
    names = [taking.next()[0].name for _ in range(3)]
    assert names == ["ce_s0", "ce_s1", "ce_s2"]
    assert taking.next() is None
    assert taking.is_finished
    assert told == [(name, "running") for name in names]


def test_what_others_have_is_waited_for(workers):
    (a, _), (b, told) = workers("a"), workers("b")
    cell, lease = a.next()
    assert b.next()[0].name == "ce_s1"
    assert told[0] == (cell.name, "elsewhere")
    commit(a.folder.run(cell).folder)
    a.give_back(cell, lease, End("committed", seconds=2.0))
    assert a.status[cell.name] == Status("done", 2.0)
    b.next()
    assert not b.is_finished
    b.look()
    assert b.status[cell.name] == Status("done")
    assert b.is_finished


def test_what_others_gave_back_is_taken(workers):
    (a, _), (b, _) = workers("a"), workers("b")
    cell, lease = a.next()
    assert [b.next()[0].name, b.next()[0].name, b.next()] == ["ce_s1", "ce_s2", None]
    b.look()
    assert b.next() is None
    a.give_back(cell, lease, End("released"))
    assert a.status[cell.name].state == "waiting"
    b.look()
    taken, again = b.next()
    assert (taken, again.number) == (cell, 2)


def test_what_was_given_back_here_is_taken_again_after_the_others(workers):
    taking, _ = workers("a")
    cell, lease = taking.next()
    taking.give_back(cell, lease, End("released"))
    taken = [taking.next() for _ in range(3)]
    assert [one.name for one, _ in taken] == ["ce_s1", "ce_s2", cell.name]
    assert taken[-1][1].number == lease.number + 1


def test_a_failure_elsewhere_is_not_repeated_here(workers):
    (a, _), (b, _), (c, _) = workers("a"), workers("b"), workers("c")
    cell, lease = a.next()
    c.next()  # sees it while it runs
    a.give_back(cell, lease, End("failed", "diverged", 5.0))
    assert a.status[cell.name] == Status("failed", 5.0, "diverged")
    assert b.next()[0].name == "ce_s2"
    assert b.status[cell.name] == Status("failed", 0.0, "diverged")
    c.look()
    assert c.status[cell.name].state == "failed"
    again, _ = workers("d")
    assert again.next()[0] == cell  # who begins later tries again


def test_what_was_finished_meanwhile_is_not_run(workers, monkeypatch):
    taking, told = workers("a")
    cells = list(taking.waiting)
    claim = taking.leases.claim

    def finish_and_claim(name, **how):
        commit(taking.folder.run(cells[0]).folder)
        return claim(name, **how)

    monkeypatch.setattr(taking.leases, "claim", finish_and_claim)
    assert taking.next()[0] == cells[1]
    assert told[0] == (cells[0].name, "done")
    assert taking.leases.read_end(cells[0].name, 1).outcome == "committed"


def test_where_another_worker_was_faster_its_cell_is_left(workers, monkeypatch):
    (a, _), (b, told) = workers("a"), workers("b")
    claim = a.leases.claim

    def be_slower(name, **how):
        if name == "ce_s0":
            b.next()
        return claim(name, **how)

    monkeypatch.setattr(a.leases, "claim", be_slower)
    assert a.next()[0].name == "ce_s1"
    assert told == [("ce_s0", "running")]
    assert a.status["ce_s0"].state == "elsewhere"


def test_a_folder_in_which_a_process_still_trains_is_left_alone(workers, monkeypatch):
    taking, _ = workers("a")
    cell = taking.waiting[0]
    taking.folder.run(cell).folder.mkdir(parents=True)
    lock, held = RunFolder.lock, [cell.name]

    def is_held(run):
        if run.folder.name in held:
            raise module.FinegrainedError("another process is training in it")
        return lock(run)

    monkeypatch.setattr(RunFolder, "lock", is_held)
    assert taking.next()[0] != cell
    taking.look()
    assert taking.elsewhere == [cell]
    assert taking.leases.latest(cell.name) == 0
    held.clear()
    taking.look()
    taking.next()
    assert taking.next()[0] == cell


def test_what_is_done_is_not_taken(workers):
    taking, _ = workers("a")
    for cell in list(taking.waiting)[:2]:
        commit(taking.folder.run(cell).folder)
    later, _ = workers("b")
    assert states(later) == ["done", "done", "waiting"]
    assert later.next()[0].name == "ce_s2"
    assert states(taking) == ["waiting"] * 3
    assert taking.next() is None
    assert states(taking) == ["done", "done", "elsewhere"]
