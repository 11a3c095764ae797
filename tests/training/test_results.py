"""Metrics of a run stay numbers where training went wrong."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from finegrained_crl.cli.main import main
from finegrained_crl.metrics.catalogue import all_figures, make_scores
from finegrained_crl.training.method import FineGrainedModel
from finegrained_crl.training.timm_classifier import PlainFineTuning


def test_scores_whose_probabilities_underflow_have_a_finite_nll():
    scores, labels = np.array([[2000.0, 0.0], [0.0, 1.0]], np.float32), np.array([1, 1])
    metrics = all_figures(make_scores(scores, labels), ordered=False)
    assert metrics["nll"] == pytest.approx((2000.0 + np.log1p(np.exp(-1))) / 2)
    json.dumps(metrics, allow_nan=False)


def test_scores_that_are_nan_are_one_line(tiny_flags, tmp_path, monkeypatch, capsys):
    def scores(
        self: PlainFineTuning, model: FineGrainedModel, criteria: nn.Module, images: torch.Tensor
    ) -> torch.Tensor:
        return model(images).logits * float("nan")

    monkeypatch.setattr(PlainFineTuning, "scores", scores)
    assert main(["finetune", *tiny_flags, "--epochs", "1", "--out", str(tmp_path / "run")]) == 1
    assert "scores of held-out pictures are NaN or infinite" in capsys.readouterr().err
    assert not (tmp_path / "run" / "results.json").exists()


def test_what_pictures_are_normalised_by_is_written_down(train, knowing):
    _, results = train()
    assert results["normalisation"] == {"mean": list(knowing.MEAN), "std": list(knowing.STD)}


def test_the_sizes_are_those_of_the_parts(train):
    _, results = train()
    assert (results["data"]["train"], results["data"]["val"], results["data"]["test"]) == (14, 21, 42)


@pytest.mark.parametrize(("words", "headline"), [([], "last"), (["--early-stopping", "1"], "selected")])
def test_the_headline_is_the_selected_weights_where_the_run_stops_by_them(words, headline, tiny_flags, tmp_path):
    words = [*tiny_flags, "--epochs", "1", "--val-fraction", "0.25", *words, "--out", str(tmp_path / "run")]
    assert main(["finetune", *words]) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["headline"] == headline
    assert results["metrics"]["selected_on_validation"]
