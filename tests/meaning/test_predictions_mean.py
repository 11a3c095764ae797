"""What `predict` and `explain` print of a picture, to the last digit, against the same worked out by hand."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
from known_set import CLASSES, softmax

from finegrained_crl.cli.main import main


def predict(folder, known, tmp_path, *words):
    out = tmp_path / "predictions.csv"
    paths = [str(known.csv.parent / path) for path in known.part("test")["path"]]
    assert main(["predict", str(folder), *paths, "--out", str(out), "--workers", "0", *words]) == 0
    return pd.read_csv(out)


def same_digits(shown, exact, digits=6):
    """Whether a printed number is the exact one rounded; single precision moves the last digit by one at the most."""
    return all(math.isclose(float(a), b, abs_tol=1.2 * 10**-digits) for a, b in zip(shown, exact, strict=True))


@pytest.mark.parametrize("batch", ["1", "5", "64"])
def test_every_column_of_predict(batch, train, known, tmp_path):
    folder, _ = train()
    table = predict(folder, known, tmp_path, "--batch-size", batch)
    p = softmax(known.logits(known.part("test")))
    order = np.argsort(-p, axis=1, kind="stable")[:, :5]
    assert table["path"].tolist() == [str(known.csv.parent / path) for path in known.part("test")["path"]]
    assert table["label"].tolist() == p.argmax(1).tolist()
    assert table["class"].tolist() == [CLASSES[k] for k in p.argmax(1)]
    assert same_digits(table["probability"], p.max(1))
    assert table["top5_classes"].tolist() == ["|".join(CLASSES[k] for k in row) for row in order]
    shown = [share for text in table["top5_probabilities"] for share in text.split("|")]
    assert same_digits(shown, np.take_along_axis(p, order, 1).ravel())
    assert all(len(share) == 8 for share in shown)


def test_predict_averages_the_runs_views(train, known, tmp_path):
    folder, _ = train("--views", "flip")
    table = predict(folder, known, tmp_path)
    test = known.part("test")
    p = softmax((known.logits(test) + known.logits(test, flipped=True)) / 2)
    assert same_digits(table["probability"], p.max(1))


def test_predict_and_explain_name_the_class_that_the_decoder_chooses(train, known, tmp_path, capsys):
    folder, _ = train("--dataset.ordered", "--method.decoder", "median")
    table = predict(folder, known, tmp_path)
    p = softmax(known.logits(known.part("test")))
    median = (p.cumsum(1) >= 0.5).argmax(1)
    assert table["label"].tolist() == median.tolist()
    assert same_digits(table["probability"], p[np.arange(len(p)), median])
    odd = int(np.flatnonzero(median != p.argmax(1))[0])
    capsys.readouterr()
    assert main(["explain", str(folder), table["path"][odd], "--out", str(tmp_path / "out"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["images"]
    assert row["predicted"] == row["explained"] == table["class"][odd] == CLASSES[median[odd]]
    assert row["top"][0]["class"] == CLASSES[p[odd].argmax()]
    assert row["true_class"] == known.part("test")["label"][odd]
    assert f"{row['predicted']} by the decoder" in row["caption"]


def test_explain_shows_the_shares_and_the_true_class(train, known, tmp_path, capsys):
    folder, _ = train()
    test = known.part("test")
    p = softmax(known.logits(test))
    capsys.readouterr()
    assert (
        main(
            ["explain", str(folder), str(known.csv.parent / test["path"][4]), "--out", str(tmp_path / "out"), "--json"]
        )
        == 0
    )
    (row,) = json.loads(capsys.readouterr().out)["images"]
    order = np.argsort(-p[4], kind="stable")[:3]
    assert [entry["class"] for entry in row["top"]] == [CLASSES[k] for k in order]
    assert same_digits([entry["probability"] for entry in row["top"]], p[4][order])
    shares = ", ".join(f"{CLASSES[k]} {100 * p[4][k]:.1f} %" for k in order)
    assert row["caption"] == f"4.png: {shares}; true class {test['label'][4]}"


def test_the_class_of_a_picture_of_ones_own_is_what_its_folder_says_or_unknown(train, known, tmp_path, capsys):
    folder, _ = train()
    capsys.readouterr()
    for name, expected in ((CLASSES[1], CLASSES[1]), ("holiday", None)):
        (tmp_path / name).mkdir()
        own = shutil.copy(known.csv.parent / known.part("test")["path"][0], tmp_path / name / "own.png")
        assert main(["explain", str(folder), str(own), "--out", str(tmp_path / "out"), "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["images"]
        assert row["true_class"] == expected


def test_weights_can_be_chosen(train, known, tmp_path):
    folder, _ = train("--epochs", "4", "--method.best-at", "2")
    test = known.part("test")
    for which, drift in (("selected", 2), ("last", 4)):
        logits = known.logits(test)
        logits[:, 0] += 4 * (drift - 2) ** 2
        assert predict(folder, known, tmp_path, "--weights", which)["label"].tolist() == logits.argmax(1).tolist()


def test_pictures_that_cant_be_read_are_named_and_the_others_classified(train, known, tmp_path, capsys):
    folder, _ = train()
    good = known.csv.parent / "test" / "0.png"
    cut = tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[:60])
    listed = tmp_path / "list.tsv"
    listed.write_text(f"n\tpath\n1\t{good}\n2\t{cut}\n3\t{tmp_path / 'absent.png'}\n")
    out = tmp_path / "out.csv"
    capsys.readouterr()
    assert main(["predict", str(folder), str(listed), "--out", str(out)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["not classified"] * 2
    assert "cut.png" in said[0]
    assert "absent.png" in said[1]
    assert pd.read_csv(out)["path"].tolist() == [str(good)]
    assert main(["explain", str(folder), str(listed), "--out", str(tmp_path / "explained")]) == 1
    assert [path.name for path in (tmp_path / "explained").iterdir()] == ["0.png"]
