"""What else goes through the layer that computes class scores, and is used."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finegrained_crl.retrofit.account.arrival import stand_at_logits
from finegrained_crl.retrofit.account.flows import Account
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.streams import Stream
from finegrained_crl.retrofit.sites.place import Place

X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(8) % 5


class Program:
    """A network whose class loss is watched, and the account as the hooks hold it."""

    def __init__(self):
        torch.manual_seed(0)
        self.net, self.ledger = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5)), Ledger()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.account = Account(self.ledger)
        self.account.unseen.telling = lambda: lambda text: None
        self.account.unseen.others.place = lambda: Place("a.py", 9, "train")
        row = self.ledger.row(kind="call", site="a.py:1", action="replace")
        self.stream = Stream(row, lambda reason: None, is_replaced=True)

    def loss(self, scores=None):
        scores = self.net(X) if scores is None else scores
        value = F.cross_entropy(scores, Y[: len(scores)])
        self.account.watch(self.stream, value, None, scores.grad_fn)
        return value

    def passes(self, loss, *, is_used=True):
        self.account.backward_starts((loss,))
        loss.backward()
        if is_used:
            self.account.updated(self.optimizer)
        self.account.zeroed(self.optimizer)
        self.optimizer.zero_grad()

    @property
    def told(self):
        """Site, passes, those without a replaced call, and those in an update, of each other loss."""
        counted = zip(self.ledger.rows, self.ledger.counts(), strict=True)
        others = [(row, counts) for row, counts in counted if row["kind"] == "other"]
        return [(row["of"], *(counts[name] for name in ("count", "looked", "updated"))) for row, counts in others]


@pytest.fixture
def program():
    return Program()


def brier(program):
    return (program.net(X + 0.1).softmax(1) - F.one_hot(Y, 5)).square().sum()


def test_a_second_pass_through_the_layer_is_told(program):
    program.passes(program.loss() + brier(program))
    assert program.told == [("a.py:1", 1, 0, 1)]


def test_so_is_a_pass_of_its_own_which_is_without_any_replaced_call(program):
    program.passes(program.loss())
    program.passes(brier(program))
    assert program.told == [("a.py:1", 1, 1, 1)]


def test_gradients_that_are_thrown_away_took_part_in_no_update(program):
    program.passes(program.loss())
    program.passes(brier(program), is_used=False)
    assert program.told == [("a.py:1", 1, 1, 0)]


QUIET = {
    "a penalty of weights": lambda program, z: (program.net[2].weight @ program.net[2].weight.T).square().sum(),
    "a term on the same logits": lambda program, z: z.square().mean(),
    "features alone": lambda program, z: program.net[0](X).square().mean(),
}


@pytest.mark.parametrize("name", QUIET)
def test_nothing_else_is(program, name):
    z = program.net(X)
    program.passes(program.loss(z) + QUIET[name](program, z))
    assert program.told == []


def test_a_gradient_of_gradients_is_no_loss_of_the_layer(program):
    loss = program.loss()
    (gradient,) = torch.autograd.grad(loss, program.net[0].weight, create_graph=True)
    program.passes(loss + gradient.square().sum())
    assert program.told == []


def test_scores_beside_those_of_the_watched_call_are_told(program):
    z = program.net(X)
    sample = type("Sample", (), {"positions": None, "factor": None})()
    value = F.cross_entropy(z[:, 1:], Y.clamp(max=3))
    stand_at_logits(z[:, 1:], sample)
    program.account.watch(program.stream, value, None, z.grad_fn)
    program.passes(value + F.softplus(z[:, 0]).mean())
    assert program.told == [("a.py:1", 1, 0, 1)]


def test_a_pass_without_any_watched_call_that_trains_a_layer_is_told_by_itself(program):
    program.passes(brier(program))
    assert program.told == [("", 1, 1, 1)]
    program.passes(sum(p.square().sum() for p in program.net.parameters()))
    assert program.told == [("", 1, 1, 1)]
