"""What the charts of scores say in words and draw, by an independent computation over four pictures of three groups."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from finegrained_crl.metrics.catalogue import make_scores
from finegrained_crl.reports.page import score_charts

NAMES = ["young", "middle", "old"]
LABELS = np.array([0, 0, 1, 2])
SURE = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.6, 0.2, 0.2]])
"""Right, one off, one off, two off: the surest picture alone is right."""
RIGHT = np.full((4, 3), 0.1) + 0.7 * np.eye(3)[LABELS]
COOLER = 0.4


@pytest.fixture(autouse=True)
def _no_figure_stays():
    yield
    plt.close("all")


def group(probabilities, calibrated=True):
    logits = np.log(probabilities)
    return [SimpleNamespace(scores=make_scores(logits, LABELS, calibrated=COOLER * logits if calibrated else None))]


def softened(probabilities):
    powers = probabilities**COOLER
    return powers / powers.sum(1, keepdims=True)


def test_confusions_are_counted_from_the_true_class():
    chart = score_charts.confusion(group(SURE), NAMES, "ce", "confusion")
    assert chart.alt == "25.0% on the diagonal; most often young is taken for middle"
    shown = np.asarray(chart.figure.axes[0].images[0].get_array())
    assert shown.tolist() == [[50, 50, 0], [100, 0, 0], [100, 0, 0]]


def test_a_difference_of_confusions_is_first_less_second():
    chart = score_charts.confusion_difference(group(RIGHT), group(SURE), NAMES, ("crl", "ce"))
    assert chart.alt == "largest: middle predicted as young, -100.0 points more often by CRL than by CE"
    shown = np.asarray(chart.figure.axes[0].images[0].get_array())
    assert shown.tolist() == [[50, -50, 0], [-100, 100, 0], [-100, 0, 100]]


def test_reliability_as_it_is_and_after_the_temperature():
    chart = score_charts.reliability({"ce": group(SURE)})
    gaps = [100 * (p.max(1).mean() - 0.25) for p in (SURE, softened(SURE))]
    assert chart.alt == "; ".join(
        f"CE {title}: confidence {gap:+.1f} points above accuracy"
        for title, gap in zip(("as they are", "after temperature"), gaps, strict=True)
    )
    _, line = chart.figure.axes[0].lines
    assert line.get_xydata() == pytest.approx(np.array([[50.0, 0.0], [60.0, 0.0], [70.0, 0.0], [90.0, 100.0]]))


@pytest.mark.parametrize(("one", "other", "points"), [(0.41, 0.45, 1), (0.39, 0.41, 2), (0.92, 0.95, 2)])
def test_a_bin_of_confidence_is_a_fifteenth(one, other, points):
    table = np.array([[p, (1 - p) / 2, (1 - p) / 2] for p in (one, other, one, other)])
    _, line = score_charts.reliability({"ce": group(table)}).figure.axes[0].lines
    assert len(line.get_xdata()) == points


def test_without_a_temperature_nothing_is_said_of_it():
    assert "after" not in score_charts.reliability({"ce": group(SURE, calibrated=False)}).alt


def test_the_surer_half_errs_less():
    chart = score_charts.coverage_risk({"ce": group(SURE)})
    assert chart.alt == "CE: 66.7 % errors among the surer half, 75.0 % in all"
    (line,) = chart.figure.axes[0].lines
    assert line.get_ydata() == pytest.approx([0, 50, 200 / 3, 75])


def test_distances_are_shares_of_the_pictures_of_all_runs():
    chart = score_charts.distances({"ce": [*group(SURE), *group(RIGHT)], "crl": group(SURE)})
    assert chart.alt == "CE: 62.5 % exact, 87.5 % within one; CRL: 25.0 % exact, 75.0 % within one"


def test_the_lowest_recall_is_named():
    rows = [("last", "ce", 0, "young", 0.5), ("last", "crl", 1, "old", 0.25), ("last", "crl", 0, "young", 0.75)]
    table = pd.DataFrame(rows, columns=["weights", "variant", "label", "group", "recall"])
    table = table.assign(low=table["recall"] - 0.1, high=table["recall"] + 0.1)
    other = table.assign(weights="selected", recall=0.01)
    chart = score_charts.recall_chart(pd.concat([other, table]), "last")
    assert chart.alt == "lowest: old, 25.0 % by CRL"
