"""Gradients that `torch.autograd.grad` returned: looked at, or gone on with."""

from types import SimpleNamespace

import pytest
import torch
from watched_account import WatchedParameter

from finegrained_crl.retrofit.account.leaves import has_no_gradient
from finegrained_crl.retrofit.account.streams import Stream


@pytest.fixture
def parameter():
    return torch.nn.Parameter(torch.tensor([0.1, 0.7, 3.3]))


@pytest.fixture
def optimiser(parameter):
    return torch.optim.SGD([parameter], lr=0.1)


class Watched(WatchedParameter):
    """A loss of one parameter, whose gradient is asked for."""

    def returned(self, **options):
        logits = self.parameter * torch.tensor([1.0, 1.0, 2.0])
        loss = logits.pow(2).sum()
        self.account.watch(self.stream, loss, None, logits.grad_fn)
        self.account.backward_starts((loss,), accumulates=False)
        (gradient,) = torch.autograd.grad(loss, self.parameter, **options)
        return gradient

    def backward(self, loss):
        self.account.backward_starts((loss,))
        loss.backward()


@pytest.fixture
def watched(parameter):
    return Watched(parameter)


def test_what_is_only_looked_at_took_part_in_no_step(watched, parameter, optimiser):
    watched.returned()
    watched.backward(parameter.sum())
    watched.account.updated(optimiser)
    assert watched.counted == (1, 0, 1)


def test_what_the_program_steps_with_did(watched, parameter, optimiser):
    gradient = watched.returned()
    watched.account.zeroed(optimiser)
    parameter.grad = gradient
    watched.account.updated(optimiser)
    assert watched.counted == (1, 1, 0)


@pytest.mark.parametrize("added", [False, True])
def test_so_did_what_is_added_to_the_engines_gradient_but_not_where_it_is_only_clipped(
    watched, parameter, optimiser, added
):
    for _ in range(2):  # the first one is watched from here on
        gradient = watched.returned()
        parameter.grad = None
        watched.backward(parameter.sum())
        parameter.grad.add_(gradient) if added else parameter.grad.mul_(0.1)
        watched.account.updated(optimiser)
    assert watched.counted == (2, 2 * added, 2 * (not added))


def test_a_graph_of_its_own_that_is_trained_on_did(watched, optimiser):
    watched.backward(watched.returned(create_graph=True).pow(2).sum())
    watched.account.updated(optimiser)
    assert watched.counted == (1, 1, 0)


def test_a_graph_of_its_own_alone_did_not(watched, parameter, optimiser):
    watched.returned(create_graph=True)
    watched.backward(parameter.sum())
    watched.account.updated(optimiser)
    assert watched.counted == (1, 0, 1)


@pytest.mark.parametrize(
    ("moved", "is_used"),
    [
        (lambda w, g: w - 0.1 * g, True),
        (lambda w, g: w + g, True),
        (lambda w, g: w - w * g, False),
        (lambda w, g: w.sum() - g, False),
        (lambda w, g: w - torch.ones(2, 3), False),
    ],
)
def test_weights_that_are_moved_by_it_are_trained_through_it(watched, parameter, optimiser, moved, is_used):
    watched.backward(moved(parameter, watched.returned()).sum())
    watched.account.updated(optimiser)
    assert watched.counted == (1, is_used, not is_used)


def test_a_step_of_another_optimiser_says_nothing_yet(watched, parameter, optimiser):
    more = torch.nn.Parameter(torch.ones(3))
    loss = (parameter * more).sum()
    watched.account.watch(watched.stream, loss)
    watched.account.backward_starts((loss,), accumulates=False)
    (gradient,) = torch.autograd.grad(loss, parameter)
    watched.account.updated(torch.optim.SGD([more], lr=0.1))
    parameter.grad = gradient
    watched.account.updated(optimiser)
    assert watched.counted == (1, 1, 0)


def test_a_parameter_that_is_moved_and_put_back_is_unchanged(watched, parameter):
    for rate in (0.37, 0.21):
        gradient = watched.returned()
        with torch.no_grad():
            parameter.add_(rate * gradient)
            parameter.sub_(rate * gradient)
        parameter.grad = torch.zeros(3)
        watched.account.backward_starts((parameter.sum(),))
    assert watched.counted == (2, 0, 0)


def test_a_parameter_that_is_moved_for_good_was_updated_however_late_that_is_seen(watched, parameter):
    for step in range(6):
        gradient = watched.returned()
        if step >= 4:  # a warm-up whose steps change nothing
            parameter.data -= 0.1 * gradient
    assert watched.counted == (6, 6, 0)


@pytest.mark.parametrize("kind", [torch.Tensor.zero_, torch.zeros_like])
def test_a_gradient_that_is_set_to_zero_by_hand_is_gone(watched, parameter, optimiser, kind):
    for _ in range(2):
        loss = (parameter * 2).sum()
        watched.account.watch(watched.stream, loss)
        watched.backward(loss)
        parameter.grad = kind(parameter.grad)
    watched.backward(parameter.sum())
    watched.account.updated(optimiser)
    assert watched.counted == (2, 0, 2)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_gradient_that_is_zero_nearly_everywhere_is_not_gone(sparse):
    table = torch.nn.Embedding(200, 2, sparse=sparse)
    watched = Watched(table.weight)
    for _ in range(2):
        loss = table(torch.tensor([151])).sum()
        watched.account.watch(watched.stream, loss)
        watched.backward(loss)
    watched.account.updated(torch.optim.SGD(table.parameters(), lr=0.1))
    assert watched.counted == (2, 2, 0)


def test_nothing_is_said_of_an_odd_gradient():
    assert not has_no_gradient(SimpleNamespace(grad="odd"))


def test_an_attack_through_a_frozen_network_is_in_no_step_and_a_pass_cut_at_the_logits_is(watched, optimiser):
    picture, weight = torch.ones(2, 3, requires_grad=True), torch.ones(3, 4)
    for logits, is_used in ((picture @ weight, False), (picture * 2, True)):
        loss = logits.sum()
        account, ledger = watched.account, watched.ledger
        stream = Stream(ledger.row(kind="call", site=f"b.py:{is_used}"), lambda reason: None)
        account.watch(stream, loss, None, logits.grad_fn)
        watched.backward(loss)
        account.updated(optimiser)
        assert ledger.counts()[stream.row]["updated"] == is_used


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_pass_from_the_features_that_a_gradient_was_asked_for_goes_on_with_it(watched, parameter, optimiser, goes_on):
    features = parameter * 2
    loss, account = features.pow(2).sum(), watched.account
    account.watch(watched.stream, loss)
    account.backward_starts((loss,), accumulates=False, asked=(features,))
    (gradient,) = torch.autograd.grad(loss, features, retain_graph=True)
    start = features if goes_on else parameter * 3
    account.handed_on([gradient], [start])
    account.backward_starts((start,), given=(gradient,))
    start.backward(gradient)
    account.updated(optimiser)
    assert watched.counted == (goes_on, goes_on, 0)
