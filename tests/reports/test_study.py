"""Figures of a study from folders that the test writes itself: no training, no torch."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_study import row, write_study
from scipy import stats

from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.calibration import expected_calibration_error, softmax
from finegrained_crl.metrics.catalogue import find_figure, make_scores
from finegrained_crl.metrics.ordinal import quadratic_weighted_kappa
from finegrained_crl.reports.breakdown import subgroup_values
from finegrained_crl.reports.parts import grouped, runs_of
from finegrained_crl.reports.study import _fold_means, study_figures
from finegrained_crl.reports.study_report import report_sheets, report_text
from finegrained_crl.reports.tables import Sheet, latex
from finegrained_crl.statistics.estimate import estimate


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("study"), {"ce": 1.0, "crl": 3.0, "focal": 1.0})
    return study_figures(collect(folder)), collect(folder)


def test_spread_is_over_folds_after_averaging_seeds(figures):
    cells = figures[0].cells[figures[0].cells["variant"] == "ce"]
    per_fold = cells.groupby("fold")["exact_accuracy"].mean()
    found = row(figures[0].variants, variant="ce", figure="exact_accuracy")
    assert (found["mean"], found["deviation"]) == (pytest.approx(per_fold.mean()), pytest.approx(per_fold.std(ddof=1)))
    assert (found["over"], found["n"], found["images"], found["clusters"]) == ("folds", 3, 120, 30)


@pytest.mark.parametrize("name", ["ece", "quadratic_weighted_kappa"])
def test_the_mean_is_that_of_folds_also_where_pooling_gives_another(figures, name):
    cells = figures[0].cells[figures[0].cells["variant"] == "ce"]
    found = row(figures[0].variants, variant="ce", figure=name)
    assert found["mean"] == pytest.approx(cells.groupby("fold")[name].mean().mean())
    assert found["mean"] != pytest.approx(found["pooled"], rel=1e-3)


def test_the_interval_of_a_share_is_computed_in_log_odds(figures):
    group = next(group for group in grouped(figures[0].parts) if group[0].cell.variant == "crl")
    exact = find_figure("exact_accuracy")
    found = row(figures[0].variants, variant="crl", figure="exact_accuracy")
    share, plain = (estimate(runs_of(group, exact), exact.statistic, scale=scale) for scale in ("share", "plain"))
    assert (found["low"], found["high"]) == (pytest.approx(share.low), pytest.approx(share.high))
    assert share.low != pytest.approx(plain.low, abs=1e-4)


def test_p_is_corrected_by_the_share_of_the_pictures_that_a_cell_tests(figures):
    means = figures[0].cells.groupby(["variant", "fold"])["nll"].mean()
    gaps = (means["crl"] - means["ce"]).to_numpy()
    t = gaps.mean() / np.sqrt((1 / 3 + 40 / (60 + 20)) * gaps.var(ddof=1))
    assert row(figures[0].differences, variant="crl", figure="nll")["p"] == pytest.approx(2 * stats.t.sf(abs(t), 2))


def test_the_oracle_of_a_fold_is_the_mean_over_its_seeds():
    cells = [SimpleNamespace(fold=fold) for fold in (0, 1, 0, 1)]
    assert _fold_means(list(zip(cells, (0.25, 0.5, 0.75, 0.75), strict=True))) == [0.5, 0.625]
    one_split = [(SimpleNamespace(fold=None), value) for value in (0.25, 0.75)]
    assert _fold_means(one_split) == [0.25, 0.75]


def test_pooled_figures_are_those_of_all_pictures(figures):
    figures, collected = figures
    frames = [f[f["part"] == "test"] for name, f in collected.predictions.items() if name.startswith("crl")]
    table = pd.concat(frames)
    predicted = np.stack(table["logits"].to_list()).argmax(1)
    found = row(figures.variants, variant="crl", figure="quadratic_weighted_kappa")
    assert found["pooled"] == pytest.approx(quadratic_weighted_kappa(predicted, table["label"], 4))
    assert found["low"] < found["mean"] < found["high"]


def test_a_real_difference_is_found_and_none_where_there_is_none(figures):
    better = row(figures[0].differences, variant="crl", figure="exact_accuracy")
    assert better["low"] > 0.1
    assert better["verdict"] == "better"
    assert better["p"] == better["p_holm"] < 0.05  # the other difference can't be tested: it is no second look
    assert (better["flip_p"], better["smallest_flip_p"]) == (pytest.approx(2 / 2**3), 2 / 2**3)
    assert (better["pairs"], better["folds"], better["seeds"], better["runs_won"]) == (6, 3, 2, 1)
    same = row(figures[0].differences, variant="focal", figure="exact_accuracy")
    assert (same["difference"], same["verdict"], same["runs_won"]) == (0, "cannot tell", 0.5)
    assert (same["flip_p"], same["barred"][:9]) == (1, "no spread")
    assert figures[0].headline[0].startswith("CRL is better than CE in exact: +")
    assert figures[0].headline[1].startswith("This study cannot tell whether focal or CE is better in exact (no spread")


def test_temperature_comes_from_validation_and_helps(figures):
    cells = figures[0].cells
    assert cells["temperature"].notna().all()
    found = row(figures[0].variants, variant="ce", figure="nll")
    assert found["mean"] > 0
    assert "ece_calibrated" in set(figures[0].variants["figure"])


def test_without_validation_there_is_no_temperature(tmp_path):
    figures = study_figures(collect(write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, validation=False)))
    assert "ece_calibrated" not in set(figures.variants["figure"])
    assert figures.cells["temperature"].isna().all()


def test_classes_without_an_order_get_no_ordinal_figure(tmp_path):
    collected = collect(write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, ordered=False))
    figures = study_figures(collected)
    assert set(figures.variants["figure"]) == {
        "top1_accuracy",
        "mean_class_accuracy",
        "nll",
        "brier",
        "ece",
        "ece_calibrated",
    }
    text = report_text(collected, figures, report_sheets(collected, figures))
    assert "QWK |" not in text
    assert "one-off % |" not in text
    assert "Recall per group" not in text


def test_one_split_has_its_spread_over_seeds(tmp_path):
    figures = study_figures(
        collect(write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, folds=(None,), seeds=(0, 1, 2)))
    )
    found = row(figures.variants, variant="ce", figure="exact_accuracy")
    assert (found["over"], found["n"]) == ("seeds", 3)


def test_missing_cells_are_named_and_left_out_of_the_pairs(tmp_path):
    collected = collect(write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, skip=("ce_f1_s0",)))
    figures = study_figures(collected)
    assert row(figures.differences, variant="crl", figure="exact_accuracy")["pairs"] == 5
    assert figures.notes[0] == "1 of 12 cells are missing: ce_f1_s0: not started"


def test_nothing_finished_yet(tmp_path):
    with pytest.raises(FinegrainedError, match="has no finished cell yet: run `fgcrl crossval"):
        collect(write_study(tmp_path / "s", {"ce": 1.0}, folds=(0,), seeds=(0,), skip=("ce_f0_s0",)))


def test_a_damaged_run_folder_is_named(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0})
    (folder / "cells" / "ce_f1_s1" / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        FinegrainedError, match=r"ce_f1_s1 is damaged: predictions\.parquet: 4 bytes, \d+ when the run was finished"
    ):
        collect(folder)


def test_totals_give_the_same_calibration_error_as_the_metric():
    random = np.random.default_rng(0)
    logits, labels = 2 * random.normal(size=(200, 4)), random.integers(0, 4, 200)
    scores = make_scores(logits, labels)
    assert find_figure("ece").value(scores) == pytest.approx(expected_calibration_error(softmax(logits), labels))


def test_subgroups():
    assert subgroup_values(pd.Series(["f", "", None])).tolist() == ["f", "unknown", "unknown"]
    assert subgroup_values(pd.Series([-15.0, 0.0, np.nan])).tolist() == ["-15", "0", "unknown"]
    quarters = subgroup_values(pd.Series(np.arange(100.0)))
    assert quarters.nunique() == 4
    assert quarters.value_counts().tolist() == [25] * 4


def test_by_subgroup_adds_up(figures):
    table = figures[0].subgroups
    assert table[table["variant"] == "crl"]["images"].sum() == 120
    assert set(table["value"]) == {"f", "m", "unknown"}


def test_latex_survives_any_name():
    assert r"a\_b \& 5 \%" in latex(Sheet("s", "c", ["x"], [["a_b & 5 %"]]))
