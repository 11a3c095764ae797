"""The loop seen from inside: what each update gets and does, on the method that knows and methods made of it."""

import numpy as np
import pandas as pd
import pytest
import torch
from known_set import make_known_set
from safetensors.torch import load_file

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import checkpoint, loop
from finegrained_crl.training.criteria import Role
from finegrained_crl.training.loop import Loop
from finegrained_crl.training.stages import Stage


def drift(folder, which="last"):
    return load_file(folder / "checkpoints" / f"model_{which}.safetensors")["drift"].item()


@pytest.fixture
def two_losses(knowing, monkeypatch):
    """The method with a second role whose loss is 3 and pulls half as much."""

    def step(self, model, criteria, batch):
        losses, logits = real(self, model, criteria, batch)
        return {**losses, "side": 3.0 - 0.5 * (model.drift - model.drift.detach())}, logits

    real = knowing.Knowing.training_step
    monkeypatch.setattr(knowing.Knowing, "training_step", step)
    monkeypatch.setattr(knowing.Knowing, "roles", lambda self, model: {"class": Role(7, 7), "side": Role(7, 7)})


def test_the_losses_of_all_roles_are_minimised_and_logged(two_losses, train):
    folder, _ = train("--batch-size", "7")
    row = pd.read_csv(folder / "epochs.csv").iloc[0]
    assert drift(folder) == pytest.approx(2 * 1.5)
    assert row["train_loss_side"] == pytest.approx(3.0)
    assert row["train_loss"] == pytest.approx(row["train_loss_class"] + 3.0)
    assert 0 < row["train_loss_class"] != pytest.approx(3.0)


def test_what_each_update_is_seeded_with(train, monkeypatch):
    keys = []
    monkeypatch.setattr(loop, "seed_step", lambda *key: keys.append(key))
    train("--batch-size", "7", "--epochs", "2", "--seed", "9")
    assert keys == [(9, epoch, update, 0) for epoch in (0, 1) for update in (0, 1)]


@pytest.fixture
def passed(monkeypatch):
    """The rows of each batch that was trained on, epoch by epoch."""
    seen = []

    def count(self, figures):
        seen.append((self.progress.epoch, figures.batch.rows.tolist()))
        return real(self, figures)

    real = Loop._count
    monkeypatch.setattr(Loop, "_count", count)
    return seen


def test_each_epoch_passes_over_every_training_picture_in_an_order_of_its_own(train, passed):
    train("--batch-size", "7", "--epochs", "3")
    orders = [[row for epoch, rows in passed if epoch == e for row in rows] for e in range(3)]
    assert all(sorted(order) == list(range(14)) for order in orders)
    assert len(set(map(tuple, orders))) == 3


def test_a_resumed_epoch_goes_on_behind_the_last_update(make_session, passed):
    words = ["--batch-size", "2", "--accumulate", "3"]
    whole = Loop(make_session(*words))
    whole.begin(whole.session.stages[0])
    whole.train_epoch()
    full = [rows for _, rows in passed]
    assert len(full) == 7
    for done, left in ((0, 7), (1, 4), (2, 1), (3, 0)):
        passed.clear()
        again = Loop(make_session(*words, out=f"again{done}"))
        again.begin(again.session.stages[0])
        again.progress.update = done
        again.train_epoch()
        assert [rows for _, rows in passed] == full[7 - left :]
        assert again.progress.update == 3


def test_the_schedule_counts_updates_of_its_own_stage(train, knowing, monkeypatch):
    halves = [Stage("one", {"epochs": 2, "lr": 1.0}), Stage("two", {"epochs": 2, "lr": 2.0})]
    monkeypatch.setattr(knowing.Knowing, "stages", lambda self, recipe: halves)
    words = ["--epochs", "4", "--batch-size", "7", "--schedule", "step", "--decay-epochs", "1", "--decay-rate", "0.5"]
    folder, _ = train(*words)
    rates = pd.read_csv(folder / "epochs.csv")["lr"].tolist()
    assert rates == [1.0, 0.5, 2.0, 1.0]
    assert drift(folder) == pytest.approx(2 * (1 + 0.5 + 2 + 1))


def test_the_cosine_falls_from_update_to_update(train):
    folder, _ = train("--batch-size", "2", "--schedule", "cosine", "--min-lr", "0.2")
    by_hand = [0.2 + 0.8 * (1 + np.cos(np.pi * t / 7)) / 2 for t in range(7)]
    assert drift(folder) == pytest.approx(sum(by_hand), abs=1e-5)


def test_clipping_is_the_stages(train, knowing, monkeypatch):
    stages = [Stage("one", {"epochs": 1, "clip_grad": 0.25}), Stage("two", {"epochs": 1, "clip_grad": 0.0})]
    monkeypatch.setattr(knowing.Knowing, "stages", lambda self, recipe: stages)
    folder, _ = train("--clip-grad", "3", "--method.pull", "4")
    assert drift(folder) == pytest.approx(0.25 + 4)


def test_the_best_weights_are_those_that_were_validated(train):
    """With averaging: the averaged ones, not those that train on."""
    words = ["--epochs", "3", "--method.best-at", "1.6", "--ema", "0.6", "--val-fraction", "0"]
    folder, results = train(*words)
    averages, average = [], 0.0
    for step in range(1, 4):
        decay = min(0.6, 1 - step ** (-2 / 3))
        average = decay * average + (1 - decay) * step
        averages.append(average)
    assert drift(folder) == pytest.approx(averages[-1], abs=1e-5)
    assert results["selected_epoch"] == 2
    assert drift(folder, "selected") == pytest.approx(averages[1], abs=1e-5)


def test_averaging_warms_up_over_the_whole_run(train):
    """Its decay depends on all updates so far, not on those of the epoch."""
    folder, _ = train("--epochs", "3", "--batch-size", "7", "--ema", "0.9")
    average = 0.0
    for step in range(1, 7):
        decay = min(0.9, 1 - step ** (-2 / 3))
        average = decay * average + (1 - decay) * step
    assert drift(folder) == pytest.approx(average, abs=1e-5)


@pytest.mark.parametrize(("every", "watched"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (3, [3]), (0, [])])
def test_the_test_part_is_watched_every_so_many_epochs(every, watched, train):
    folder, _ = train("--epochs", "5", "--test-every", every)
    epochs = pd.read_csv(folder / "epochs.csv")
    assert epochs.dropna(subset="test_top1")["epoch"].tolist() == watched


def test_patience_counts_from_the_beginning_of_the_last_stage(train, knowing, monkeypatch, tmp_path):
    stages = [Stage("one", {"epochs": 4}), Stage("two", {"epochs": 5})]
    monkeypatch.setattr(knowing.Knowing, "stages", lambda self, recipe: stages)
    (tmp_path / "more").mkdir()
    more = make_known_set(tmp_path / "more", np.random.default_rng(5), (("train", 84), ("test", 14)))
    # Nothing ever changes: the first epoch is the best one.
    _, results = train("--early-stopping", "2", "--val-fraction", "0.5", "--batch-size", "99", data=more)
    assert results["selected_epoch"] == 1
    assert results["epochs_run"] == 4 + 2


def test_every_epoch_trains_in_training_mode(train, knowing, monkeypatch):
    modes, real = [], knowing.Knowing.training_step

    def step(self, model, criteria, batch):
        modes.append(model.training)
        return real(self, model, criteria, batch)

    monkeypatch.setattr(knowing.Knowing, "training_step", step)
    train("--epochs", "2", "--batch-size", "7", "--test-every", "1")
    assert modes == [True] * 4


def test_an_epoch_ends_with_the_schedules_of_the_losses(train, monkeypatch):
    calls = []
    monkeypatch.setattr("finegrained_crl.training.criteria.Criteria.end_epoch", lambda self: calls.append(1))
    train("--epochs", "3")
    assert len(calls) == 3


def test_a_method_sets_weights_from_the_training_pictures(train, known, knowing, monkeypatch):
    seen = []

    def initialise(self, model, batches):
        seen.extend([batches(), batches()])
        images, labels = (torch.cat(parts) for parts in zip(*batches(), strict=True))
        with torch.no_grad():
            model.drift += 7
        self.start = (model(images).logits, labels)
        return ["set by the test"]

    monkeypatch.setattr(knowing.Knowing, "initialise", initialise)
    methods = []
    monkeypatch.setattr(knowing.Knowing, "__init__", lambda self, **_: methods.append(self))
    for name, value in {"best_at": -1.0, "decoder": "argmax", "pull": 1.0}.items():
        monkeypatch.setattr(knowing.Knowing, name, value, raising=False)
    folder, results = train("--ema", "0.5", "--views", "flip")
    logits, labels = methods[-1].start
    rows = known.part("train")
    np.testing.assert_allclose(logits.detach().numpy(), known.logits(rows), atol=1e-4)
    assert labels.tolist() == known.labels(rows).tolist()
    assert results["weights"] == ["weights set by hand", "set by the test"]
    # Averaging begins with the weights as the method set them: 7, then min(.5, 1 - 1) = 0 of it.
    assert drift(folder) == pytest.approx(8.0)


def test_averaging_begins_with_what_the_method_set(make_session, knowing, monkeypatch):
    def initialise(self, model, batches):
        model.drift.data += 7
        return []

    monkeypatch.setattr(knowing.Knowing, "initialise", initialise)
    made = Loop(make_session("--ema", "0.5"))
    made.initialise()
    assert made.evaluated.model.drift.item() == 7.0


def test_nothing_is_trained_that_is_over(make_session, monkeypatch):
    made = Loop(make_session("--epochs", "2"))
    made.progress.epoch = 2
    monkeypatch.setattr(made, "restore", dict)
    monkeypatch.setattr(made, "train_stage", lambda *_: pytest.fail("a stage began"))
    made.fit()


def test_a_loss_that_is_no_number_is_refused_before_its_step(make_session, knowing, monkeypatch):
    def step(self, model, criteria, batch):
        return {"class": model.drift * float("nan")}, model(batch.images).logits

    monkeypatch.setattr(knowing.Knowing, "training_step", step)
    made = Loop(make_session())
    made.begin(made.session.stages[0])
    with pytest.raises(FinegrainedError, match="epoch 1, batch 1: class loss nan; images: train/"):
        made.train_epoch()
    assert made.trainee.model.drift.item() == 0.0


def test_a_checkpoint_holds_all_that_goes_on(make_session):
    words = ["--batch-size", "7", "--momentum", "0.5", "--ema", "0.6", "--method.pull", "2"]
    first = Loop(make_session(*words))
    first.begin(first.session.stages[0])
    first.train_epoch()
    first.trainee.model.notes.append("set from the training pictures")
    first.save()
    state = checkpoint.load(first.session.run.last)
    again = Loop(make_session(*words, resume=True))
    assert again.restore()["stage"] == "all"
    assert again.trainee.model.notes[-1] == "set from the training pictures"
    assert again.trainee.model.drift.item() == first.trainee.model.drift.item() == pytest.approx(2 + 3)
    assert again.evaluated.model.drift.item() == first.evaluated.model.drift.item() != 5.0
    assert again.progress == first.progress
    assert state["data"] == first.session.data.digest
    again.session.known_data = {"another"}
    with pytest.raises(FinegrainedError, match="was written by a run on other data"):
        again.restore()


def test_the_optimisers_memory_goes_on(train, make_session, monkeypatch, stop_after_saves):
    """Momentum of the epochs before the interruption is in the first update after it."""
    save = checkpoint.save
    words = ["--epochs", "3", "--momentum", "0.5"]
    whole, _ = train(*words, out="whole")
    stop_after_saves(3)
    half = Loop(make_session(*words, out="half"))
    with pytest.raises(RuntimeError, match="pulled the plug"):
        half.fit()
    monkeypatch.setattr(checkpoint, "save", save)
    rest = Loop(make_session(*words, out="half", resume=True))
    rest.fit()
    assert rest.trainee.model.drift.item() == pytest.approx(drift(whole)) == pytest.approx(1 + 1.5 + 1.75)
