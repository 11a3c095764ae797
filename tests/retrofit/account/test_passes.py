"""Which backward passes are looked at."""

import itertools

import torch

from finegrained_crl.retrofit.account import passes
from finegrained_crl.retrofit.account.flows import Account
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.passes import Passes


def reconstruction():
    return torch.ones(2, requires_grad=True).pow(2).mean()


def classification():
    return torch.ones(2, 3, requires_grad=True).log_softmax(1).gather(1, torch.tensor([[0], [2]])).mean()


def due(seen, loss, times):
    return [seen.due((loss,)) > 0 for _ in range(times)]


def test_the_first_passes_of_each_kind_are_and_then_some():
    seen = Passes()
    numbers = [number for number, is_due in enumerate(due(seen, reconstruction(), 400), 1) if is_due]
    assert numbers[:7] == [1, 2, 3, 14, 28, 42, 56]
    assert [later - earlier for earlier, later in itertools.pairwise(numbers[8:])] == [98] * (len(numbers) - 9)


def test_a_new_kind_is_noticed_although_not_every_pass_is_told_apart():
    seen = Passes()
    due(seen, reconstruction(), 200)
    assert sum(due(seen, classification(), 14)) == 3
    assert sum(due(seen, classification().exp(), 3)) == 3  # every pass is told apart again


def test_graphs_that_always_differ_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr(passes, "KINDS", 1)
    seen = Passes()
    due(seen, reconstruction(), 4)
    assert due(seen, classification(), 4) == [True, True, True, False]
    assert due(seen, classification().exp(), 1) == [False]


def test_a_root_without_a_graph_is_a_kind_of_its_own():
    assert due(Passes(), torch.ones(()), 4) == [True, True, True, False]


def test_a_new_optimiser_begins_a_stage_that_is_looked_at_again():
    account, seen = Account(Ledger()), []
    account.unseen.telling = lambda: seen.append
    for stage in range(2):
        account.optimiser_made()
        for _ in range(5):
            account.backward_starts((classification(),))
        assert len(seen) == 3 * (stage + 1)
