"""Signals act between steps; one that came while Python freed something is neither lost nor told."""

import os
import signal
import sys

import pytest

from finegrained_crl.data import workers
from finegrained_crl.training.interruption import Interrupted, Interruption


class Freed:
    """Sends its own process a signal when it is freed."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))


def test_a_signal_at_a_bad_moment_acts_at_the_next_good_one(capsys):
    with Interruption() as interruption:
        Freed()
        with pytest.raises(Interrupted, match="SIGTERM"), interruption.held():
            pass
    assert capsys.readouterr().err == ""


def test_other_errors_of_finalisers_are_told(monkeypatch):
    class Broken:
        def __del__(self):
            raise ValueError("broken")

    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with Interruption():
        Broken()
    assert [lost.exc_type for lost in told] == [ValueError]
    assert sys.unraisablehook == told.append


def test_a_held_stretch_ends_before_a_signal_acts():
    reached = []

    def stretch(interruption):
        with interruption.held():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append(1)

    with Interruption() as interruption, pytest.raises(Interrupted):
        stretch(interruption)
    assert reached == [1]


def test_a_worker_whose_parent_went_says_nothing_of_it(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "__excepthook__", lambda *error: told.append(error[0]))
    for kind in (ConnectionResetError, EOFError):
        workers._tell_but_lost_connections(kind, kind(), None)
    assert told == [EOFError]
