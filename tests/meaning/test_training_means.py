"""What results.json, predictions.parquet and the weights of a run say, against the same worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from known_set import CLASSES, figures_by_hand, make_known_set, softmax
from safetensors.torch import load_file


def stored_predictions(folder, rows):
    table = pd.read_parquet(folder / "predictions.parquet")
    last = table[(table["weights"] == "last") & (table["part"] == "test")]
    return last.set_index("path").loc[rows["path"]]


def test_every_figure_of_results(train, known):
    folder, results = train()
    test = known.part("test")
    logits, labels = known.logits(test), known.labels(test)
    assert results["metrics"]["last"]["test"] == pytest.approx(figures_by_hand(logits, labels), abs=1e-6)
    assert results["class_names"] == CLASSES
    stored = stored_predictions(folder, test)
    np.testing.assert_allclose(np.stack(stored["logits"].to_list()), logits, atol=1e-4)
    assert stored["label"].tolist() == labels.tolist()
    assert 0.3 < results["metrics"]["last"]["test"]["top1_accuracy"] < 0.95


@pytest.mark.parametrize("decoder", ["argmax", "median", "mean"])
def test_every_figure_of_ordered_classes_by_the_decoder(decoder, train, known):
    _, results = train("--dataset.ordered", "--method.decoder", decoder)
    test = known.part("test")
    logits, labels = known.logits(test), known.labels(test)
    p = softmax(logits)
    by_decoder = {
        "argmax": p.argmax(1),
        "median": (p.cumsum(1) >= 0.5).argmax(1),
        "mean": np.floor(p @ np.arange(len(CLASSES)) + 0.5).astype(int),
    }
    assert len({tuple(chosen) for chosen in by_decoder.values()}) == 3
    assert results["protocol"]["decoder"] == decoder
    assert results["metrics"]["last"]["test"] == pytest.approx(
        figures_by_hand(logits, labels, by_decoder[decoder]), abs=1e-6
    )


def test_views_are_averaged(train, known):
    folder, _ = train("--views", "flip")
    test = known.part("test")
    logits = (known.logits(test) + known.logits(test, flipped=True)) / 2
    np.testing.assert_allclose(np.stack(stored_predictions(folder, test)["logits"].to_list()), logits, atol=1e-4)


def with_drift(known, rows, drift, best_at):
    logits = known.logits(rows)
    logits[:, 0] += 4 * (drift - best_at) ** 2
    return logits


def accuracy(known, rows, drift, best_at):
    return np.mean(with_drift(known, rows, drift, best_at).argmax(1) == known.labels(rows))


def test_selected_weights_are_those_of_the_best_validation_epoch(train, known):
    # One update per epoch: after epoch e, drift is e; the network is best at 3 of 6.
    words = ["--epochs", "6", "--method.best-at", "3", "--test-every", "1", "--val-fraction", "0"]
    folder, results = train(*words)
    val, test = known.part("val"), known.part("test")
    by_epoch = [accuracy(known, val, drift, 3) for drift in range(1, 7)]
    assert by_epoch.index(max(by_epoch)) == 2
    assert by_epoch[0] < max(by_epoch) > by_epoch[5]
    epochs = pd.read_csv(folder / "epochs.csv")
    assert epochs["val_top1"].tolist() == pytest.approx(by_epoch)
    on_test = [accuracy(known, test, drift, 3) for drift in range(1, 7)]
    assert epochs["test_top1"].tolist() == pytest.approx(on_test)
    assert results["selected_epoch"] == 3
    selected = results["metrics"]["selected_on_validation"]["test"]
    assert selected == pytest.approx(figures_by_hand(with_drift(known, test, 3, 3), known.labels(test)), abs=1e-6)
    last = results["metrics"]["last"]["test"]
    assert last == pytest.approx(figures_by_hand(with_drift(known, test, 6, 3), known.labels(test)), abs=1e-6)
    assert results["oracle_on_test"]["top1_accuracy"] == pytest.approx(max(on_test))
    assert drift_of(folder, "selected") == 3
    assert drift_of(folder, "last") == 6


def test_early_stopping_waits_its_patience(train, tmp_path):
    (tmp_path / "more").mkdir()
    more = make_known_set(tmp_path / "more", np.random.default_rng(5), (("train", 84), ("test", 14)))
    words = [
        "--epochs",
        "9",
        "--method.best-at",
        "2",
        "--early-stopping",
        "2",
        "--val-fraction",
        "0.5",
        "--batch-size",
        "99",
    ]
    folder, results = train(*words, data=more)
    epochs = pd.read_csv(folder / "epochs.csv")
    best = int(epochs["val_top1"].idxmax()) + 1  # the first of equals
    assert results["selected_epoch"] == best == 2
    assert results["epochs_run"] == best + 2
    assert results["headline"] == "selected"


def drift_of(folder, which="last"):
    return load_file(folder / "checkpoints" / f"model_{which}.safetensors")["drift"].item()


def test_averaged_weights_are_what_is_evaluated(train, known):
    folder, results = train("--epochs", "5", "--method.best-at", "1", "--ema", "0.6")
    # timm's warm-up: the decay of update t is min(0.6, 1 - t^(-2/3)); drift itself is t after update t.
    average = 0.0
    for step in range(1, 6):
        decay = min(0.6, 1 - step ** (-2 / 3))
        average = decay * average + (1 - decay) * step
    assert drift_of(folder) == pytest.approx(average, abs=1e-5)
    test = known.part("test")
    expected = figures_by_hand(with_drift(known, test, average, 1), known.labels(test))
    assert results["metrics"]["last"]["test"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "drift"),
    [
        ([], 1.0),  # 14 pictures in one batch
        (["--batch-size", "7"], 2.0),
        (["--batch-size", "7", "--accumulate", "2"], 1.0),
        (["--batch-size", "2", "--accumulate", "3"], 3.0),  # updates of 3, 3 and 1 batches
        (["--lr", "0.25"], 0.25),
        (["--method.pull", "4"], 4.0),
        (["--method.pull", "4", "--clip-grad", "0.5"], 0.5),
        (["--method.pull", "4", "--clip-grad", "9"], 4.0),
        (["--epochs", "3", "--lr", "0.5"], 1.5),
        (["--epochs", "2", "--momentum", "0.5"], 2.5),
        (["--epochs", "4", "--schedule", "multistep", "--decay-epochs", "2", "--decay-rate", "0.1"], 2.2),
        (["--epochs", "4", "--schedule", "step", "--decay-epochs", "1", "--decay-rate", "0.5"], 1.875),
        (["--epochs", "3", "--batch-size", "7", "--warmup-epochs", "1"], 0.0 + 0.5 + 4.0),
        (["--weight-decay", "0.5", "--epochs", "2"], 2.0),  # a scalar is not decayed
    ],
)
def test_how_far_training_went(words, drift, train):
    folder, _ = train(*words)
    assert drift_of(folder) == pytest.approx(drift, abs=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("loss", ["ce", "crl"])
def test_training_loss_is_the_loss_with_its_smoothing(loss, smoothing, train, known):
    folder, _ = train("--loss", loss, "--label-smoothing", smoothing)
    train_rows = known.part("train")
    p, labels = softmax(known.logits(train_rows)), known.labels(train_rows)
    by_class = -np.log(p) + (np.log(1.5 + 1 - p) if loss == "crl" else 0)
    target = (1 - smoothing) * np.eye(len(CLASSES))[labels] + smoothing / len(CLASSES)
    epochs = pd.read_csv(folder / "epochs.csv")
    assert epochs["train_loss"][0] == pytest.approx((target * by_class).sum(1).mean(), abs=1e-5)
    assert epochs["train_accuracy"][0] == pytest.approx(np.mean(p.argmax(1) == labels))
