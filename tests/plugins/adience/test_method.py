import json

import numpy as np
import pandas as pd
import pytest

from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.ordinal import decode, one_off_accuracy
from finegrained_crl.training.timm_classifier import PlainFineTuning
from finegrained_crl_plugins.adience.method import AgeGroups


@pytest.mark.parametrize("decoder", ["argmax", "median", "mean"])
def test_the_decoder_stands_in_the_results_and_makes_their_figures(decoder, tiny_folder, tmp_path):
    rows = [
        f"{path.relative_to(tiny_folder)},{path.parent.name},{path.parts[-3]}"
        for path in sorted(tiny_folder.rglob("*.png"))
    ]
    (tmp_path / "faces.csv").write_text("\n".join(["path,label,split", *rows]))
    flags = (
        f"finetune --method adience --method.decoder {decoder} --dataset table --dataset.ordered --dataset.image-root"
        f" {tiny_folder}"
    )
    how = "--backbone test_resnet --weights none --image-size 32 --epochs 1 --batch-size 8 --workers 0 --loss sord"
    assert (
        main([*flags.split(), "--data", str(tmp_path / "faces.csv"), *how.split(), "--out", str(tmp_path / "run")]) == 0
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    predicted = decode(softmax(np.stack(table["logits"].to_list())), decoder)
    assert results["protocol"]["decoder"] == decoder
    assert results["metrics"]["last"]["test"]["one_off_accuracy"] == pytest.approx(
        one_off_accuracy(predicted, table["label"], 3)
    )
    assert results["metrics"]["last"]["test"]["exact_accuracy"] == pytest.approx(np.mean(predicted == table["label"]))


def test_an_unknown_decoder():
    with pytest.raises(
        FinegrainedError, match=r"--method\.decoder mode: did you mean 'median'|Known: argmax, mean, median"
    ):
        AgeGroups(decoder="mode")


def test_it_trains_like_resnet():
    assert issubclass(AgeGroups, PlainFineTuning)
