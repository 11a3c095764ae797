"""Workers, their hearts, and what others make of them, by clocks that the test turns."""

import os
import subprocess
import sys

import pytest

from finegrained_crl.crossval import worker as module
from finegrained_crl.crossval.worker import Heart, Watch, Worker, started_at


class Clock:
    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clocks():
    """That of a worker, and that of one who watches it; hours apart."""
    return Clock(5.0), Clock(90000.0)


@pytest.fixture
def heart(tmp_path, clocks):
    return Heart(tmp_path / "workers", Worker("a", term=60.0), clocks[0])


def test_who_beats_is_never_silent_however_the_clocks_differ(heart, clocks):
    watch = Watch(heart.file.parent, clocks[1])
    heart.beat()
    for _ in range(5):
        clocks[1].now += 50
        heart.beat()
        assert not watch.is_silent(heart.worker)


def test_silence_is_counted_from_the_first_look(heart, clocks):
    heart.beat()
    clocks[1].now += 1000
    watch = Watch(heart.file.parent, clocks[1])
    assert not watch.is_silent(heart.worker)
    clocks[1].now += 60
    assert not watch.is_silent(heart.worker)
    clocks[1].now += 1
    assert watch.is_silent(heart.worker)
    heart.beat()
    assert not watch.is_silent(heart.worker)


def test_a_worker_gives_up_long_before_others_take_its_cells(heart, clocks):
    heart.beat()
    clocks[0].now += 30
    assert not heart.is_late
    clocks[0].now += 1
    assert heart.is_late
    heart.beat()
    assert not heart.is_late


def test_a_beat_that_took_long_to_write_counts_from_its_beginning(heart, clocks, monkeypatch):
    real = module.os.replace
    monkeypatch.setattr(module.os, "replace", lambda *a: (setattr(clocks[0], "now", clocks[0].now + 31), real(*a)))
    heart.beat()
    assert heart.is_late


def test_a_beat_that_cannot_be_written_is_none(heart, clocks, monkeypatch):
    heart.beat()

    def refuse(*_):
        raise OSError("no such server")

    monkeypatch.setattr(module.os, "replace", refuse)
    clocks[0].now += 31
    heart.beat()
    assert heart.is_late
    assert heart.file.read_text() == "1"


def test_it_beats_by_itself_and_leaves_nothing(tmp_path):
    with Heart(tmp_path / "w", Worker("a", term=0.012)) as heart:
        while heart.file.read_text() in ("", "1"):
            pass
    assert not heart.file.exists()


def test_a_process_of_this_machine_that_is_gone_is_dead():
    here = Worker.here()
    assert not here.is_surely_dead
    ended = subprocess.Popen([sys.executable, "-c", ""])
    started = started_at(ended.pid)
    worker = Worker.from_dict({**here.as_dict(), "pid": ended.pid, "started": started})
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert worker.is_surely_dead  # a zombie
    ended.wait()
    assert worker.is_surely_dead
    assert Worker.from_dict({**here.as_dict(), "started": here.started - 1}).is_surely_dead  # the id was used again
    assert not Worker.from_dict({**worker.as_dict(), "machine": "another"}).is_surely_dead
    assert not Worker.from_dict({**worker.as_dict(), "machine": ""}).is_surely_dead


def test_a_record_that_was_cut_off_is_of_nobody():
    assert Worker.from_dict({"name": "a"}) == Worker("")
    assert Worker.from_dict(Worker.here().as_dict()).pid == os.getpid()
