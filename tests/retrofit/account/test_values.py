"""Parameters that change although no backward pass ran."""

import pytest
import torch

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.values import VALUES, Values


class Watched:
    """Calls of one row, and a parameter that moves between them."""

    def __init__(self):
        self.ledger = Ledger()
        self.row = self.ledger.row(kind="call", site="a.py:1")
        self.values, self.parameter = Values(self.ledger), torch.nn.Parameter(torch.ones(4))

    def calls(self, times, *between, moves=True):
        for _ in range(times):
            self.values.read(self.row, lambda: [self.parameter])
            self.parameter.data += moves
            for action in between:
                getattr(self.values, action)()

    @property
    def is_told(self):
        return self.ledger.rows[self.row].get("note") == VALUES


@pytest.fixture
def watched():
    return Watched()


def test_three_moves_without_a_backward_pass_are_told(watched):
    watched.calls(3)
    assert not watched.is_told
    watched.calls(1)
    assert watched.is_told


@pytest.mark.parametrize("before", [(), ("passes", "steps")])
def test_so_are_an_optimisers_steps_with_gradients_of_another_kind(watched, before):
    for action in before:
        getattr(watched.values, action)()
    watched.calls(4, "steps")
    assert watched.is_told


@pytest.mark.parametrize("between", [("passes",), ("loads",), ("passes", "steps")])
def test_what_backward_passes_and_loaded_states_change_is_not(watched, between):
    watched.calls(20, *between)
    assert not watched.is_told


def test_a_step_with_a_gradient_of_before_is_none_of_its_kind(watched):
    for _ in range(4):
        watched.values.passes()
        watched.calls(1, "steps")
        watched.calls(1)
    assert not watched.is_told


def test_nor_are_parameters_that_stay(watched):
    watched.calls(20, moves=False)
    assert not watched.is_told


def test_calls_are_looked_at_seldom_after_the_first_ones(watched):
    watched.calls(16, moves=False)
    watched.calls(63)
    assert not watched.is_told
