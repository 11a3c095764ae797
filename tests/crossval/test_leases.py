"""Leases: one worker at a time, whatever workers do; a machine of random deeds looks for two.

Clocks are turned by the test; each worker has its own.
"""

import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from finegrained_crl import files
from finegrained_crl.crossval.leases import End, LeaseFiles, Leases
from finegrained_crl.crossval.worker import Heart, Worker
from finegrained_crl.errors import FinegrainedError

TERM = 60.0


class Somebody:
    """A worker on a machine of its own: its process can't be asked for, only its heart be watched."""

    def __init__(self, study, name, clock=None):
        self.now = 0.0
        self.clock = clock or (lambda: self.now)
        self.heart = Heart(LeaseFiles(study).workers, Worker(name, term=TERM), self.clock)
        self.leases = Leases(study, self.heart, self.clock)
        self.heart.beat()


@pytest.fixture
def two(tmp_path):
    return Somebody(tmp_path, "a"), Somebody(tmp_path, "b")


def test_a_cell_is_one_workers(two):
    a, b = two
    lease = a.leases.claim("ce_s0")
    assert (lease.cell, lease.number, lease.worker.name) == ("ce_s0", 1, "a")
    assert b.leases.claim("ce_s0") is None
    assert a.leases.claim("ce_s0") is None
    assert b.leases.claim("ce_s1").number == 1


def test_what_was_given_back_is_anybodys_at_once(two):
    a, b = two
    a.leases.end(a.leases.claim("ce_s0"), End("released", seconds=3.0))
    assert b.leases.claim("ce_s0").number == 2
    assert b.leases.read_end("ce_s0", 1) == End("released", seconds=3.0)


def test_the_silent_lose_their_cells_and_find_that_out(two):
    a, b = two
    lease = a.leases.claim("ce_s0")
    for now in (0.0, TERM):
        b.now = now
        assert b.leases.claim("ce_s0") is None
    b.now = TERM + 1
    assert b.leases.claim("ce_s0").number == 2
    a.heart.beat()
    assert not a.leases.holds(lease)  # its own clock stood still; the folder says it
    a.leases.end(lease, End("released"))
    assert b.leases.numbers() == {"ce_s0": (2, False)}


def test_a_worker_that_could_not_beat_lets_go_by_itself(two):
    a, _ = two
    lease = a.leases.claim("ce_s0")
    assert a.leases.holds(lease)
    a.now = TERM / 2 + 1
    assert not a.leases.holds(lease)


def test_of_many_that_see_the_silence_one_takes_the_cell(tmp_path):
    Somebody(tmp_path, "dead").leases.claim("ce_s0")
    others = [Somebody(tmp_path, f"w{i}") for i in range(8)]
    for other in others:
        assert other.leases.claim("ce_s0") is None
        other.now = TERM + 1
    start, won = threading.Barrier(len(others)), []

    def take(other):
        start.wait()
        if other.leases.claim("ce_s0"):
            won.append(other)

    threads = [threading.Thread(target=take, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert others[0].leases.numbers() == {"ce_s0": (2, False)}


def test_a_failure_of_before_is_tried_again_and_one_of_now_is_not(two, tmp_path):
    a, b = two
    a.leases.end(a.leases.claim("ce_s0"), End("failed", "diverged"))
    assert b.leases.failure_meanwhile("ce_s0") == "diverged"
    assert Somebody(tmp_path, "c").leases.failure_meanwhile("ce_s0") is None


def test_a_lease_that_was_cut_off_is_of_nobody_and_over_after_a_term(two, tmp_path):
    a, b = two
    a.leases.claim("ce_s0")
    (tmp_path / "claims" / "ce_s0.1").write_text('{"worker": {"na')
    assert b.leases.claim("ce_s0") is None
    b.now = TERM + 1
    assert b.leases.claim("ce_s0").number == 2


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_without_hard_links_too_one_makes_the_file(number, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert files.create_bytes(tmp_path / "x", b"one")
    assert not files.create_bytes(tmp_path / "x", b"two")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"one"]


def test_a_link_whose_answer_was_lost_counts(tmp_path, monkeypatch):
    real = os.link

    def link_and_lose(*names):
        real(*names)
        raise FileExistsError(errno.EEXIST, "asked twice")

    monkeypatch.setattr(os, "link", link_and_lose)
    assert files.create_bytes(tmp_path / "x", b"one")
    monkeypatch.setattr(os, "link", real)
    assert not files.create_bytes(tmp_path / "x", b"two")
    assert (tmp_path / "x").read_bytes() == b"one"


def test_a_folder_that_takes_no_file_is_one_line(tmp_path):
    (tmp_path / "claims").write_text("")
    with pytest.raises(FinegrainedError, match=r"can't make the folder .*claims"):
        files.create_bytes(tmp_path / "claims" / "x", b"")


CELLS = ("ce_s0", "crl_s0")
WORKERS = st.integers(0, 2)


class Deeds(RuleBasedStateMachine):
    """Workers that claim, beat, sleep, wake, crash and commit while time goes by.

    A worker that is awake does what a launcher does several times a second: it ends the cells that it does not hold
    any more. While it sleeps it computes nothing. Time passes for all, by clocks that differ by hours.
    """

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.study, self.time, self.names = Path(self.folder.name), 0.0, 0
        self.workers = [self._new(i) for i in range(3)]
        self.asleep = [False] * 3
        self.running = [{} for _ in range(3)]  # cell -> lease
        self.committed = {}

    def teardown(self):
        """None is lost: when all have crashed, one who comes takes every cell, at once or after a term."""
        somebody = self._new(0)
        free = [cell for cell in CELLS if cell not in self.committed]
        left = [cell for cell in free if somebody.leases.claim(cell) is None]
        self.time += TERM + 1
        assert all(somebody.leases.claim(cell) for cell in left)
        self.folder.cleanup()

    def _new(self, i):
        self.names += 1
        return Somebody(self.study, f"w{self.names}", lambda: self.time + 10000.0 * i)

    def _attend(self, i):
        """What the loop of an awake worker does first."""
        leases = self.workers[i].leases
        self.running[i] = {cell: lease for cell, lease in self.running[i].items() if leases.holds(lease)}

    @rule(i=WORKERS, cell=st.sampled_from(CELLS))
    def claim(self, i, cell):
        if self.asleep[i] or cell in self.committed:
            return
        lease = self.workers[i].leases.claim(cell)
        if lease:
            self.running[i][cell] = lease

    @rule(i=WORKERS)
    def beat(self, i):
        if not self.asleep[i]:
            self.workers[i].heart.beat()

    @rule(seconds=st.sampled_from([1.0, 20.0, 29.0, 31.0, 59.0, 61.0]))
    def time_passes(self, seconds):
        self.time += seconds
        for i in range(3):
            if not self.asleep[i]:
                self._attend(i)

    @rule(i=WORKERS)
    def sleep(self, i):
        self.asleep[i] = True

    @rule(i=WORKERS)
    def wake(self, i):
        self.asleep[i] = False
        self._attend(i)

    @rule(i=WORKERS)
    def crash_and_start_anew(self, i):
        self.workers[i], self.running[i], self.asleep[i] = self._new(i), {}, False

    @rule(i=WORKERS, cell=st.sampled_from(CELLS), outcome=st.sampled_from(["released", "failed"]))
    def give_back(self, i, cell, outcome):
        if not self.asleep[i] and cell in self.running[i]:
            self.workers[i].leases.end(self.running[i].pop(cell), End(outcome))

    @rule(i=WORKERS, cell=st.sampled_from(CELLS))
    def commit(self, i, cell):
        if self.asleep[i] or cell not in self.running[i]:
            return
        lease = self.running[i].pop(cell)
        assert cell not in self.committed, "committed twice"
        self.committed[cell] = lease.number
        self.workers[i].leases.end(lease, End("committed"))

    @invariant()
    def no_cell_runs_twice(self):
        for cell in CELLS:
            at_work = [i for i in range(3) if not self.asleep[i] and cell in self.running[i]]
            assert len(at_work) <= 1, (cell, at_work)


Deeds.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestDeeds = Deeds.TestCase
