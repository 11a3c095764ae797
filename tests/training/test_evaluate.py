"""Every held-out picture is scored exactly once, in its order, on one process or many."""

from types import SimpleNamespace

import accelerate.utils
import numpy as np
import pytest
import torch
from torch import nn

from finegrained_crl.data.loading import Pictures
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import evaluate as module
from finegrained_crl.training.evaluate import evaluate


class Rows(Pictures):
    """Pictures whose image is their row."""

    def __init__(self):
        pass

    def __getitem__(self, key):
        epoch, row = key
        assert epoch == 0
        return torch.full((1, 1, 1, 3), row, dtype=torch.uint8), 0, row, {}


class Trainee(nn.Module):
    def __init__(self):
        super().__init__()
        self.modes = []


def scorer(rank=0, world=1, broken=()):
    def scores(trainee, views):
        trainee.modes.append(trainee.training)
        rows = views[:, 0, 0, 0].numpy().astype(np.float32)
        rows[np.isin(rows[:, 0], broken)] = np.inf
        return rows

    return SimpleNamespace(accelerator=SimpleNamespace(num_processes=world, process_index=rank), scores=scores)


ROWS = np.array([7, 3, 9, 1, 200])


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
@pytest.mark.parametrize("training", [True, False])
def test_rows_in_their_order_and_the_mode_as_it_was(batch_size, training):
    trainee, told = Trainee().train(training), []
    found = evaluate(trainee, Rows(), ROWS, scorer(), batch_size=batch_size, workers=0, scored=told.append)
    assert found[:, 0].tolist() == ROWS.tolist()
    assert not any(trainee.modes)
    assert trainee.training == training
    assert sum(told) == len(ROWS)
    assert len(told) == -(-len(ROWS) // batch_size)


@pytest.mark.parametrize("broken", [7, 3, 200])
def test_a_score_that_is_no_number_is_refused_wherever_it_stands(broken):
    with pytest.raises(FinegrainedError, match="NaN or infinite"):
        evaluate(Trainee(), Rows(), ROWS, scorer(broken=[broken]), batch_size=2, workers=0)


@pytest.mark.parametrize("world", [2, 3, 7])
def test_shares_of_processes_are_laid_together_again(world, monkeypatch):
    shares = []
    monkeypatch.setattr(module, "_gather", lambda mine, total, world: shares.append(mine))
    for rank in range(world):
        evaluate(Trainee(), Rows(), ROWS, scorer(rank, world), batch_size=2, workers=0)
    assert [[] if share is None else share[:, 0].tolist() for share in shares] == [
        ROWS[rank::world].tolist() for rank in range(world)
    ]
    monkeypatch.undo()
    monkeypatch.setattr(accelerate.utils, "gather_object", lambda mine: shares)
    assert module._gather(shares[0], len(ROWS), world)[:, 0].tolist() == ROWS.tolist()


def test_no_rows_no_scores():
    assert len(evaluate(Trainee(), Rows(), ROWS[:0], scorer(), batch_size=2, workers=0)) == 0
