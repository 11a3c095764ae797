"""The heat map over alpha and beta: its cells, recomputed from the predictions by scikit-learn, and their noise."""

import numpy as np
import pytest
from made_study import write_study
from sklearn.metrics import accuracy_score

from finegrained_crl.crossval.collect import collect
from finegrained_crl.reports.page.grid_map import grid_map
from finegrained_crl.reports.study import study_figures

GRID = [(alpha, beta) for alpha in (1, 2) for beta in (0.25, 1)]
STRENGTHS = {"ce": 4.0} | {f"crl loss.alpha={a} loss.beta={b}": 1 + a * b for a, b in GRID}


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    return collect(write_study(tmp_path_factory.mktemp("grid") / "study", STRENGTHS, folds=[None], seeds=(0, 1, 2)))


@pytest.fixture(scope="module")
def figures(collected):
    return study_figures(collected)


@pytest.fixture(scope="module")
def chart(figures):
    return grid_map(figures.variants, figures.primary, "last")


def by_hand(collected, variant):
    accuracies = []
    for cell in collected.done:
        if cell.variant == variant:
            frame = collected.predictions[cell.name]
            test = frame[frame["part"] == "test"]
            accuracies.append(accuracy_score(test["label"], np.stack(test["logits"].to_list()).argmax(1)))
    return 100 * np.mean(accuracies)


def test_each_cell_is_the_mean_of_its_runs(collected, figures, chart):
    assert figures.primary.name in ("top1_accuracy", "exact_accuracy")
    drawn = chart.figure.axes[0].images[0].get_array()
    for alpha, beta in GRID:
        i, j = (1, 0.25).index(beta), (1, 2).index(alpha)  # beta falls from the top, alpha rises to the right
        assert drawn[i, j] == pytest.approx(by_hand(collected, f"crl loss.alpha={alpha} loss.beta={beta}"))


def test_the_noise_is_half_of_the_interval(figures, chart):
    drawn = chart.figure.axes[1].images[0].get_array()
    rows = figures.variants[(figures.variants["figure"] == figures.primary.name)].set_index("variant")
    for alpha, beta in GRID:
        row = rows.loc[f"crl loss.alpha={alpha} loss.beta={beta}"]
        i, j = (1, 0.25).index(beta), (1, 2).index(alpha)
        assert drawn[i, j] == pytest.approx(50 * (row["high"] - row["low"]))
        assert drawn[i, j] > 0


def test_the_best_is_a_cell_of_the_grid_and_not_cross_entropy(collected, chart):
    """Cross-entropy is better here than all cells, and has neither alpha nor beta."""
    best = max(GRID, key=lambda cell: by_hand(collected, f"crl loss.alpha={cell[0]} loss.beta={cell[1]}"))
    assert by_hand(collected, "ce") > by_hand(collected, f"crl loss.alpha={best[0]} loss.beta={best[1]}")
    assert chart.alt.startswith(f"best at alpha {best[0]:g}, beta {best[1]:g}: ")


def test_without_a_grid_there_is_no_map(figures):
    rows = figures.variants[figures.variants["variant"] == "ce"]
    assert grid_map(rows, figures.primary, "last") is None


def test_a_setting_beside_the_grid_needs_no_number(figures, chart):
    names = figures.variants["variant"].str.replace(" loss.beta", " loss.subtract_floor=true loss.beta", regex=False)
    beside = grid_map(figures.variants.assign(variant=names), figures.primary, "last")
    assert beside.alt == chart.alt
