"""What a study's report says, against the same worked out by hand from the pictures: two variants, two folds, a
validation part."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_set import CLASSES, SIDE, figures_by_hand, softmax
from scipy.optimize import minimize_scalar
from studies_here import crossval_here

from finegrained_crl.cli.main import main
from finegrained_crl.crossval.collect import collect
from finegrained_crl.reports.study import study_figures

_TEXT = """
--dataset table --dataset.ordered --method knowing --weights none --backbone none --resize squash
--eval-resize-ratio 1 --resize-ratio 1 --crop-scale 1 --hflip 0 --optimizer momentum --momentum 0 --weight-decay 0
--schedule constant --lr 1 --batch-size 64 --epochs 1 --loss ce --val-fraction 0.25 --grid method.best_at=-1,0
--seeds 0 --jobs 2
"""
SETTINGS = _TEXT.split()
VARIANTS = {"ce method.best_at=-1": 0.0, "ce method.best_at=0": 4.0}
"""Variant -> what class 0's logit gets after the one update."""


pytestmark = pytest.mark.usefixtures("no_charts_here")


@pytest.fixture(scope="module")
def study(known, tmp_path_factory, no_charts_here):
    folder = tmp_path_factory.mktemp("study") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "third_party" / "knowing"))
        data = known.csv.parent / "folds.csv"
        assert crossval_here(*SETTINGS, "--data", data, "--image-size", SIDE, "--out", folder) == 0
        assert main(["report", str(folder), "--baseline", next(iter(VARIANTS))]) == 0
    return folder


def by_hand(known, study, variant, fold, part):
    """Logits and labels of a cell's part, the pictures as its predictions list them."""
    frame = pd.read_parquet(study / "cells" / f"{variant.replace(' ', '_')}_f{fold}_s0" / "predictions.parquet")
    listed = frame[(frame["part"] == part) & (frame["weights"] == "last")]
    rows = known.rows.set_index("path").loc[listed["path"]].reset_index()
    if part == "test":
        assert sorted(rows["path"]) == sorted(known.rows[known.rows["fold"] == fold]["path"])
    else:
        assert set(rows["fold"]) == {1 - fold}
    logits = known.logits(rows)
    logits[:, 0] += VARIANTS[variant]
    return logits, known.labels(rows)


def temperature_by_hand(logits, labels):
    def nll(log_t):
        p = softmax(logits / np.exp(log_t))
        return -np.log(p[np.arange(len(labels)), labels]).mean()

    return np.exp(minimize_scalar(nll, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x)


NOT_MEANS = ("num_images",)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_cell(variant, study, known):
    cells = pd.read_csv(study / "tables" / "cells.csv")
    for fold in (0, 1):
        logits, labels = by_hand(known, study, variant, fold, "test")
        row = cells[(cells["variant"] == variant) & (cells["fold"] == fold) & (cells["weights"] == "last")].iloc[0]
        expected = figures_by_hand(logits, labels, softmax(logits).argmax(1))
        assert {name: row[name] for name in expected if name not in NOT_MEANS} == pytest.approx(
            {name: value for name, value in expected.items() if name not in NOT_MEANS}, abs=1e-6
        )
        temperature = temperature_by_hand(*by_hand(known, study, variant, fold, "val"))
        assert row["temperature"] == pytest.approx(temperature, rel=1e-4)
        calibrated = figures_by_hand(logits / temperature, labels)["ece"]
        assert row["ece_calibrated"] == pytest.approx(calibrated, abs=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_means_spreads_and_pooled_figures(variant, study, known):
    table = pd.read_csv(study / "tables" / "variants.csv").set_index(["variant", "weights", "figure"])
    parts = [by_hand(known, study, variant, fold, "test") for fold in (0, 1)]
    folds = [figures_by_hand(logits, labels, softmax(logits).argmax(1)) for logits, labels in parts]
    logits, labels = (np.concatenate(halves) for halves in zip(*parts, strict=True))
    pooled = figures_by_hand(logits, labels, softmax(logits).argmax(1))
    for name in pooled.keys() - set(NOT_MEANS):
        row = table.loc[(variant, "last", name)]
        values = [fold[name] for fold in folds]
        assert row["mean"] == pytest.approx(np.mean(values), abs=1e-6), name
        assert row["deviation"] == pytest.approx(np.std(values, ddof=1), abs=1e-6), name
        assert row["pooled"] == pytest.approx(pooled[name], abs=1e-6), name
        assert row["images"] == len(known.rows)


def test_difference_is_the_mean_over_pairs(study, known):
    table = pd.read_csv(study / "tables" / "differences.csv")
    (first, second), by_variant = VARIANTS, {}
    for variant in VARIANTS:
        parts = [by_hand(known, study, variant, fold, "test") for fold in (0, 1)]
        by_variant[variant] = [figures_by_hand(x, y, softmax(x).argmax(1)) for x, y in parts]
    for _, row in table[table["weights"] == "last"].iterrows():
        if row["figure"] != "ece_calibrated":
            pairs = [
                b[row["figure"]] - a[row["figure"]] for a, b in zip(by_variant[first], by_variant[second], strict=True)
            ]
            assert (row["variant"], row["baseline"]) == (second, first)
            assert row["difference"] == pytest.approx(np.mean(pairs), abs=1e-6), row["figure"]
            assert row["pairs"] == 2


def test_recall_and_confusion(study, known):
    groups = pd.read_csv(study / "tables" / "groups.csv")
    confusion = pd.read_csv(study / "tables" / "confusion.csv")
    for variant in VARIANTS:
        parts = [by_hand(known, study, variant, fold, "test") for fold in (0, 1)]
        predicted = np.concatenate([softmax(logits).argmax(1) for logits, _ in parts])
        labels = np.concatenate([labels for _, labels in parts])
        rows = groups[(groups["variant"] == variant) & (groups["weights"] == "last")]
        assert rows["group"].tolist() == CLASSES
        assert rows["images"].tolist() == [int((labels == k).sum()) for k in range(len(CLASSES))]
        assert rows["recall"].tolist() == pytest.approx(
            [np.mean(predicted[labels == k] == k) for k in range(len(CLASSES))]
        )
        pairs = confusion[(confusion["variant"] == variant) & (confusion["weights"] == "last")]
        counted = {(r["class"], r["predicted_class"]): r["images"] for _, r in pairs.iterrows()}
        expected = pd.Series(list(zip(labels, predicted, strict=True))).value_counts()
        assert counted == {(CLASSES[i], CLASSES[j]): n for (i, j), n in expected.items()}


def test_the_reports_decoder_is_the_one_asked_for(study, known, tmp_path):
    assert main(["report", str(study), "--decoder", "median", "--out", str(tmp_path)]) == 0
    cells = pd.read_csv(tmp_path / "tables" / "cells.csv")
    for variant in VARIANTS:
        logits, labels = by_hand(known, study, variant, 0, "test")
        row = cells[(cells["variant"] == variant) & (cells["fold"] == 0) & (cells["weights"] == "last")].iloc[0]
        median = (softmax(logits).cumsum(1) >= 0.5).argmax(1)
        expected = figures_by_hand(logits, labels, median)
        assert row["exact_accuracy"] == pytest.approx(expected["exact_accuracy"])
        assert row["mae_in_groups"] == pytest.approx(expected["mae_in_groups"])
        assert row["macro_mae_in_groups"] == pytest.approx(expected["macro_mae_in_groups"])


def test_printed_digits_are_those_of_the_tables(study):
    text = (study / "report.md").read_text()
    variants = pd.read_csv(study / "tables" / "variants.csv").set_index(["variant", "weights", "figure"])
    row = variants.loc[("ce method.best_at=-1", "last", "exact_accuracy")]
    assert f"{100 * row['mean']:.2f} ± {100 * row['deviation']:.2f}" in text
    assert f"{100 * row['mean']:.2f} [{100 * row['low']:.2f}, {100 * row['high']:.2f}]" in text


def test_the_json_twin_agrees(study, capsys):
    capsys.readouterr()
    assert main(["report", str(study), "--json"]) == 0
    listed = pd.DataFrame(json.loads(capsys.readouterr().out)["variants"])
    figures = study_figures(collect(study))
    assert listed["mean"].tolist() == pytest.approx(figures.variants["mean"].tolist())
