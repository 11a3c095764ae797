"""Updates that are undone are taken off the count again; a search before training, or once, is not."""

import weakref

import pytest
import torch

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.streams import Stream
from finegrained_crl.retrofit.account.stretches import LOOKS, Stretches


class Program:
    """Trains one parameter by two chains of callers, 0 and 1."""

    def __init__(self):
        self.parameter, self.ledger = torch.nn.Parameter(torch.ones(3)), Ledger()
        self.stretches = Stretches(self.ledger)
        rows = [self.ledger.row(kind="call", site=f"a.py:{line}") for line in (1, 2)]
        reached = weakref.ref(self.parameter)
        self.streams = [Stream(row, lambda reason: None, reached=reached) for row in rows]

    def trains(self, chain, step=0.1):
        self.stretches.passed(self.streams[chain])
        with torch.no_grad():
            self.parameter.add_(step)
        self.ledger.count(self.streams[chain].row, 2)
        self.stretches.updated(self.streams[chain], 1)

    def trains_and_puts_back(self, chain, steps=1):
        before = self.parameter.detach().clone()
        for _ in range(steps):
            self.trains(chain)
        with torch.no_grad():
            self.parameter.copy_(before)

    @property
    def updated(self):
        return tuple(counters["updated"] for counters in self.ledger.counts())


@pytest.fixture
def program():
    return Program()


@pytest.mark.parametrize(("rounds", "updated"), [(1, (1, 2)), (2, (2, 0)), (4, (4, 0))])
def test_what_is_undone_again_and_again_is_taken_off(program, rounds, updated):
    for _ in range(rounds):
        program.trains(0)
        program.trains_and_puts_back(1, steps=2)
        program.stretches.end()
    assert program.updated == updated


def test_at_the_end_once_is_enough(program):
    program.trains(0)
    program.trains_and_puts_back(1)
    program.stretches.finish()
    assert program.updated == (1, 0)


def test_a_search_that_training_follows_is_kept(program):
    for _ in range(2):  # before the training, and once within it
        program.trains_and_puts_back(1)
        program.trains(0)
    program.stretches.finish()
    assert program.updated == (2, 2)


def test_folds_that_begin_at_one_state_are_kept(program):
    for _ in range(4):
        program.trains_and_puts_back(0)
        program.stretches.end()
    program.stretches.finish()
    assert program.updated == (4, 0)


def test_a_parameter_that_never_moved_says_nothing(program):
    for _ in range(4):
        program.trains(0, step=0.1)
        program.trains(1, step=0.0)
    program.stretches.finish()
    assert program.updated == (4, 4)


def test_an_undone_stretch_after_many_others_is_seen(program):
    for _ in range(2 * LOOKS):
        program.trains(0)
        program.trains_and_puts_back(1)
    program.stretches.finish()
    assert program.updated == (2 * LOOKS, 0)


def test_a_fork_does_not_count_for_its_parent(program):
    program.trains(0)
    program.trains_and_puts_back(1)
    program.ledger.generation += 1
    program.stretches.finish()
    assert program.updated == (1, 1)


def undone(program, chain):
    return program.ledger.rows[program.streams[chain].row].get("undone", 0)


def test_what_is_undone_within_a_stretch_is_told_where_training_goes_on(program):
    for _ in range(2):
        program.trains(0)
        program.trains_and_puts_back(0, steps=2)
        program.stretches.end()
    assert undone(program, 0) == 2
    program.trains(0)
    assert (undone(program, 0), program.updated[0]) == (4, 7)


def test_once_after_training_is_told_too(program):
    program.trains(0)
    program.trains_and_puts_back(1, steps=2)
    program.trains(0)
    assert (undone(program, 0), undone(program, 1)) == (0, 2)


def test_the_best_state_at_the_end_is_not(program):
    program.trains(0)
    program.trains_and_puts_back(0, steps=2)
    program.stretches.finish()
    assert undone(program, 0) == 0
