"""What the charts of a study say in words and draw: the numbers that they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports.page.study_charts import fold_dots, forest, learning_curves

TOP1, NLL = find_figure("top1_accuracy"), find_figure("nll")


@pytest.fixture(autouse=True)
def _no_figure_stays():
    yield
    plt.close("all")


@pytest.fixture
def differences():
    """Two variants against one baseline, the same of the selected weights with other numbers."""
    columns = ["figure", "weights", "variant", "baseline", "difference", "low", "high", "verdict"]
    rows = [
        ("top1_accuracy", "last", "crl", "ce", 0.02, 0.01, 0.04, "better"),
        ("top1_accuracy", "last", "focal", "ce", -0.03, -0.05, -0.01, "worse"),
        ("top1_accuracy", "selected", "crl", "ce", 0.5, 0.4, 0.6, "better"),
        ("nll", "last", "crl", "ce", 0.25, 0.125, 0.5, "worse"),
    ]
    return pd.DataFrame(rows, columns=columns)


def test_each_difference_stands_at_its_place_with_its_verdict(differences):
    chart = forest(differences, TOP1, "last", rope=0.5)
    assert chart.alt == "CRL − CE: +2.00 (+1.00 to +4.00), better; focal − CE: -3.00 (-5.00 to -1.00), worse"
    axes = chart.figure.axes[0]
    intervals = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 2]
    assert np.concatenate(intervals) == pytest.approx([1, 4, -5, -1])
    marks = [(line.get_marker(), line.get_xdata()[0]) for line in axes.lines if line.get_marker() not in ("", "None")]
    assert marks == [("^", pytest.approx(2)), ("v", pytest.approx(-3))]


@pytest.mark.parametrize("rope", [0.5, 2.0])
def test_the_region_of_practical_equivalence_reaches_both_ways(differences, rope):
    (region,) = forest(differences, TOP1, "last", rope).figure.axes[0].patches
    assert (region.get_x(), region.get_width()) == (-rope, 2 * rope)


def test_a_figure_that_is_no_share_keeps_its_unit(differences):
    chart = forest(differences, NLL, "last", rope=0.5)
    assert "+0.250 (+0.125 to +0.500)" in chart.alt
    assert chart.figure.axes[0].lines[0].get_xdata() == pytest.approx([0.125, 0.5])
    assert not chart.figure.axes[0].patches


@pytest.fixture
def runs():
    """Two folds with two seeds each; CRL is the more accurate one."""
    values = {"ce": [0.2, 0.4, 0.5, 0.5], "crl": [0.6, 0.8, 0.7, 0.9]}
    return pd.DataFrame(
        [(variant, i // 2, i % 2, value) for variant, of in values.items() for i, value in enumerate(of)],
        columns=["variant", "fold", "seed", "value"],
    )


@pytest.mark.parametrize(("figure", "best"), [(TOP1, "CRL"), (NLL, "CE")])
def test_the_best_mean_is_the_highest_or_the_lowest(runs, figure, best):
    chart = fold_dots(runs, figure)
    assert chart.alt == f"2 folds across 2 variants; the best mean is that of {best}"


def test_a_line_joins_the_means_of_a_fold(runs):
    lines = fold_dots(runs, TOP1).figure.axes[0].lines
    assert [line.get_ydata().tolist() for line in lines] == [pytest.approx([30, 70]), pytest.approx([50, 80])]


def test_curves_are_the_median_over_the_runs(tmp_path):
    for i, (loss, accuracy) in enumerate([(1.0, 0.5), (2.0, 0.25), (9.0, 0.75)]):
        (tmp_path / str(i)).mkdir()
        lines = ["epoch,train_loss,val_top1", f"1,{2 * loss},0.125", f"2,{loss},{accuracy}"]
        (tmp_path / str(i) / "epochs.csv").write_text("\n".join(lines) + "\n")
    loss, accuracy = learning_curves({"crl": [tmp_path / str(i) for i in range(3)]})
    assert loss.alt == "CRL ends at a median of 2"
    assert accuracy.alt == "CRL ends at a median of 50"
    assert accuracy.title == "Accuracy on validation"
    assert loss.figure.axes[0].lines[-1].get_ydata().tolist() == [4, 2]
