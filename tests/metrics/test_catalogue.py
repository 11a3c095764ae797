"""Every figure of the catalogue against the same worked out by hand, how it is shown, and when it says something."""

import numpy as np
import pytest
from known_set import figures_by_hand, softmax

from finegrained_crl.metrics.catalogue import (
    FIGURES,
    all_figures,
    figures_for,
    find_figure,
    make_scores,
    primary_figure,
)

RANDOM = np.random.default_rng(4)
LABELS = np.array([0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 5, 5, 0, 1])
LOGITS = RANDOM.normal(size=(14, 7)) + 1.5 * np.eye(7)[(LABELS + RANDOM.integers(0, 3, 14)) % 7]


@pytest.mark.parametrize("decoder", ["argmax", "median", "mean"])
def test_figures_are_those_by_hand(decoder):
    p = softmax(LOGITS)
    chosen = {
        "argmax": p.argmax(1),
        "median": (p.cumsum(1) >= 0.5).argmax(1),
        "mean": np.floor(p @ np.arange(7) + 0.5).astype(int),
    }
    found = all_figures(make_scores(LOGITS, LABELS, decoder), ordered=True)
    assert found == pytest.approx(figures_by_hand(LOGITS, LABELS, chosen[decoder]))
    assert len({tuple(c) for c in chosen.values()}) == 3
    assert len(set(found.values())) >= 11  # figures that agree by chance would hide that one stands for another


def test_the_highest_score_is_taken_without_a_decoder():
    assert make_scores(LOGITS, LABELS).predicted.tolist() == LOGITS.argmax(1).tolist()


def test_calibration_after_a_temperature_is_that_of_the_calibrated_scores():
    scores = make_scores(LOGITS, LABELS, calibrated=LOGITS / 3)
    assert all_figures(scores, ordered=False)["ece_calibrated"] == pytest.approx(
        figures_by_hand(LOGITS / 3, LABELS)["ece"]
    )
    assert np.isnan(find_figure("ece_calibrated").value(make_scores(LOGITS, LABELS)))
    assert "ece_calibrated" not in all_figures(make_scores(LOGITS, LABELS), ordered=False)


def test_which_figures_say_something():
    names = [figure.name for figure in FIGURES if not figure.years]
    assert [figure.name for figure in figures_for(6, ordered=True)] == names
    assert "top5_accuracy" not in [figure.name for figure in figures_for(5, ordered=True)]
    plain = [figure.name for figure in FIGURES if not figure.ordered and not figure.years]
    assert [figure.name for figure in figures_for(6, ordered=False)] == plain
    assert figures_for(2, ordered=False)[0].name == "top1_accuracy"


def test_kappa_of_one_group_is_no_number():
    same = make_scores([[2.0, 0.0], [3.0, 0.0]], [0, 0])
    assert all_figures(same, ordered=True)["quadratic_weighted_kappa"] is None
    assert find_figure("quadratic_weighted_kappa").show(float("nan")) == "-"


POSITIVE = {"nll", "brier", "mae_in_groups", "macro_mae_in_groups", "mae_years"}
LOWER = POSITIVE | {"ece", "ece_calibrated", "epsilon_error"}
PLAIN = POSITIVE | {"quadratic_weighted_kappa"}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_direction_unit_and_digits(figure):
    assert figure.better == ("lower" if figure.name in LOWER else "higher")
    assert figure.percent == (figure.name not in PLAIN) == figure.title.endswith(("%", "% after T"))
    assert figure.show(0.123456) == ("0.123" if figure.name in PLAIN else "12.35")
    assert figure.show(0.5, signed=True) == ("+0.500" if figure.name in PLAIN else "+50.00")
    assert figure.show(-0.5, signed=True).startswith("-")
    scales = {"share": figure.percent, "positive": figure.name in POSITIVE, "plain": figure.name.endswith("kappa")}
    assert [scale for scale, holds in scales.items() if holds] == [figure.scale]


def test_titles_and_names_are_distinct():
    assert len({f.title for f in FIGURES}) == len({f.name for f in FIGURES}) == len(FIGURES)
    with pytest.raises(KeyError):
        find_figure("accuracy")


def test_a_headline_is_about_the_decision():
    assert primary_figure(ordered=True).name == "exact_accuracy"
    assert primary_figure(ordered=False).name == "top1_accuracy"
