"""Figures fetched a step late, as on a GPU: the same run, the same refusals."""

import json

import pytest
import torch

from finegrained_crl.data.loading import Batch
from finegrained_crl.training import loop as loop_module
from finegrained_crl.training.step_figures import LateFigures

BATCH = Batch(torch.zeros(1), torch.zeros(1), torch.zeros(1))


@pytest.fixture
def late(monkeypatch):
    """Runs count each step's figures a step later."""
    monkeypatch.setattr(loop_module, "LateFigures", lambda count, late: LateFigures(count, late=True))


def add(figures, loss, place):
    figures.add(BATCH, place, {"class": torch.tensor(loss), "part": torch.tensor(2.0)}, torch.tensor(3))


@pytest.mark.parametrize(("late", "due"), [(False, ["one", "two"]), (True, ["one"])])
def test_each_step_is_counted_once_and_in_order(late, due):
    seen = []
    figures = LateFigures(lambda step: seen.append((step.place, step.fetch())), late=late)
    add(figures, 1.0, "one")
    add(figures, 1.5, "two")
    assert [place for place, _ in seen] == due
    figures.settle()
    figures.settle()
    assert seen == [("one", ({"class": 1.0, "part": 2.0}, 3.0)), ("two", ({"class": 1.5, "part": 2.0}, 3.0))]


def test_a_run_with_late_figures_is_the_same_run(train, monkeypatch):
    words = ["--batch-size", "3", "--epochs", "2"]
    folder, results = train(*words)
    history = (folder / "epochs.csv").read_text().splitlines()
    monkeypatch.setattr(loop_module, "LateFigures", lambda count, late: LateFigures(count, late=True))
    other, others_results = train(*words, out="late")
    timeless = [line.rsplit(",", 2)[0] for line in history]
    assert [line.rsplit(",", 2)[0] for line in (other / "epochs.csv").read_text().splitlines()] == timeless
    assert json.dumps(others_results) == json.dumps(results)


def test_a_loss_that_is_no_number_is_refused_with_its_own_batch(late, make_session, monkeypatch):
    loop = loop_module.Loop(make_session("--batch-size", "2"))
    loop.begin(loop.session.stages[0])
    real, calls = loop.figures.add, []

    def add_broken(batch, place, losses, correct):
        calls.append(batch.rows.tolist())
        broken = {role: loss * float("nan") for role, loss in losses.items()}
        real(batch, place, broken if len(calls) == 3 else losses, correct)

    monkeypatch.setattr(loop.figures, "add", add_broken)
    with pytest.raises(Exception, match="epoch 1, batch 3: class loss nan") as refused:
        loop.train_epoch()
    paths = loop.session.records.table["path"].iloc[calls[2]]
    assert all(path in str(refused.value) for path in paths)


def test_nothing_is_saved_over_a_loss_that_is_no_number(late, make_session):
    loop = loop_module.Loop(make_session("--batch-size", "2"))
    loop.begin(loop.session.stages[0])
    loop.figures.add(
        Batch(torch.zeros(1), torch.zeros(1), torch.tensor([0])),
        "epoch 1, batch 1",
        {"class": torch.tensor(float("inf"))},
        torch.tensor(0),
    )
    with pytest.raises(Exception, match="diverged in epoch 1, batch 1"):
        loop.save()
    assert not loop.session.run.last.exists()
