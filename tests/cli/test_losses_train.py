"""Every loss of the catalogue trains by name, is saved with what it learnt, and predicts the same when loaded again."""

import json

import pandas as pd
import pytest
from scipy.special import softmax

from finegrained_crl.cli.main import main
from finegrained_crl.losses.catalogue import LOSSES


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_and_predicts(loss, tiny_flags, tiny_folder, tmp_path, capsys):
    flags = [*tiny_flags, "--loss", loss, "--epochs", "1", "--lr", "0.001", "--out", str(tmp_path / "run")]
    assert main(["finetune", *flags]) == 0, capsys.readouterr().err
    history = pd.read_csv(tmp_path / "run" / "epochs.csv")
    assert history["train_loss"].notna().all()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["loss"]["name"] == loss
    assert main(["predict", str(tmp_path / "run"), str(tiny_folder / "test"), "--out", str(tmp_path / "p.csv")]) == 0
    own = pd.read_parquet(tmp_path / "run" / "predictions.parquet").sort_values("path")
    expected = [int(logits.argmax()) for logits in own["logits"]]
    found = pd.read_csv(tmp_path / "p.csv").sort_values("path")
    assert found["label"].tolist() == expected
    # Of the weights that the loss has learnt itself, too.
    assert found["probability"].tolist() == pytest.approx([softmax(logits).max() for logits in own["logits"]], abs=1e-5)


# What one loss has learnt, and what goes on of its schedule; the others are slow.
OTHERS = [pytest.param(loss, marks=pytest.mark.slow) for loss in ("pod", "l-softmax")]


@pytest.mark.parametrize("loss", ["center", "em-softmax", *OTHERS])
def test_losses_with_state_resume_bit_identically(loss, tiny_flags, tmp_path, monkeypatch, stop_after_saves):
    flags = [*tiny_flags, "--loss", loss, "--lr", "0.001", "--checkpoint-seconds", "0"]
    assert main(["finetune", *flags, "--out", str(tmp_path / "whole")]) == 0
    stop_after_saves(3)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        main(["finetune", *flags, "--out", str(tmp_path / "cut")])
    monkeypatch.undo()
    assert main(["finetune", *flags, "--out", str(tmp_path / "cut"), "--resume"]) == 0
    for name in ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
