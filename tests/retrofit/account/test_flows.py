"""Gradients that were never used: set to zero, or removed, before any update."""

import pytest
import torch
from watched_account import WatchedParameter

from finegrained_crl.retrofit.account import streams


@pytest.fixture
def parameter():
    return torch.nn.Parameter(torch.ones(3))


@pytest.fixture
def optimiser(parameter):
    return torch.optim.SGD([parameter], lr=0.1)


class Watched(WatchedParameter):
    """A loss of one parameter, watched as the retrofit's hooks watch it."""

    def passes(self, scale=1.0):
        loss = (self.parameter * scale).sum()
        self.account.watch(self.stream, loss)
        self.account.backward_starts((loss,))
        loss.backward()


def test_what_is_set_to_zero_before_an_update_is_counted(parameter, optimiser):
    watched = Watched(parameter)
    watched.passes()
    watched.account.zeroed(optimiser)
    assert watched.counted == (1, 0, 1)


def test_gradients_that_overflowed_are_not(parameter, optimiser):
    watched = Watched(parameter)
    watched.passes(float("inf"))
    watched.account.zeroed(optimiser)
    assert watched.counted == (1, 0, 0)


def test_inside_a_step_a_closure_may_set_to_zero(parameter, optimiser):
    watched = Watched(parameter)
    watched.account.step_starts(optimiser)
    watched.passes()
    watched.account.zeroed(optimiser)
    assert watched.counted == (1, 0, 0)


def test_a_gradient_that_is_gone_at_the_next_pass_was_removed(parameter, optimiser):
    watched = Watched(parameter)
    watched.passes()
    parameter.grad = None
    watched.passes()
    watched.account.updated(optimiser)
    assert watched.counted == (2, 1, 1)


def test_copies_that_are_stepped_with_were_used(parameter, optimiser):
    watched = Watched(parameter)
    for _ in range(3):
        watched.passes()
        watched.account.zeroed(optimiser)
        optimiser.zero_grad()
    parameter.grad = torch.ones(3)
    watched.passes()
    parameter.grad = torch.ones(3)
    watched.account.updated(optimiser)
    assert watched.counted == (4, 4, 0)


def test_another_network_after_a_new_optimiser_is_known(parameter, optimiser):
    watched = Watched(parameter)
    for _ in range(5):
        watched.passes()
        watched.account.updated(optimiser)
    watched.parameter = torch.nn.Parameter(torch.ones(3))
    watched.account.optimiser_made()
    watched.passes()
    watched.account.updated(torch.optim.SGD([watched.parameter], lr=0.1))
    assert watched.counted == (6, 6, 0)


@pytest.mark.parametrize("trained", [0, 1])
@pytest.mark.parametrize("is_removed", [False, True])
def test_a_pass_to_one_parameter_leaves_the_other_without_a_gradient(parameter, trained, is_removed):
    parameters = [parameter, torch.nn.Parameter(torch.ones(3))]
    watched = Watched(parameter)
    for _ in range(3):
        loss = (parameters[0] * parameters[1]).sum()
        watched.account.watch(watched.stream, loss)
        watched.account.backward_starts((loss,))
        loss.backward(inputs=[parameters[trained]])
        if is_removed:
            parameters[trained].grad = None
    assert watched.counted == (3, 0, 2 * is_removed)


def test_zeros_by_hand_are_looked_for_now_and_then(parameter, monkeypatch):
    """At the start of the 2nd, 3rd, 4th and 7th pass, where what waits is lost: one each, and then three."""
    monkeypatch.setattr(streams, "LOOKS", 2)
    monkeypatch.setattr(streams, "LOOK_EVERY", 3)
    watched = Watched(parameter)
    for _ in range(8):
        watched.passes()
        parameter.grad.zero_()
    assert watched.counted == (8, 0, 6)


def test_parameters_that_the_program_changes_itself_were_updated(parameter):
    watched = Watched(parameter)
    watched.passes()
    with torch.no_grad():
        parameter.sub_(0.1 * parameter.grad)
    watched.passes()
    assert watched.counted == (2, 2, 0)


def test_who_waits_for_an_update_is_told(parameter, optimiser):
    watched, told = Watched(parameter), []
    watched.account.after_update = lambda: told.append("updated")
    watched.passes()
    assert told == []
    watched.account.updated(optimiser)
    assert told == ["updated"]


def test_the_graph_of_what_torch_func_differentiates_is_not_walked(parameter):
    watched = Watched(parameter)

    def loss(values):
        value = (2 * values).sum()
        watched.account.watch(watched.stream, value)
        return value

    torch.func.grad(loss)(parameter.detach())
    assert (watched.stream.tries, watched.account.unchecked) == (0, 0)
