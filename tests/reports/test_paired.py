"""Differences in pairs, against plain loops over the cells."""

import numpy as np
import pytest
from made_study import row, write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.metrics.intervals import CellTotals, mean_difference_interval
from finegrained_crl.reports.paired import differences, find_baselines
from finegrained_crl.reports.parts import read_parts

NAMES = ("exact_accuracy", "nll", "quadratic_weighted_kappa", "ece")
FIGURES = [find_figure(name) for name in NAMES]
STRENGTHS = {"focal": 1.1, "ce": 1.0, "crl": 1.6}


@pytest.fixture(scope="module", params=[(0, 1, 2), (0, 1), (None,)], ids=["three folds", "two folds", "one split"])
def made(request, tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("paired"), STRENGTHS, folds=request.param, seeds=(0, 1, 2))
    parts = list(read_parts(collect(folder), None))
    return parts, differences(parts, find_baselines(list(STRENGTHS)), FIGURES, seed=0)


def by_place(parts, variant):
    return {(p.cell.fold, p.cell.seed): p for p in parts if p.cell.variant == variant}


@pytest.mark.parametrize("variant", ["focal", "crl"])
@pytest.mark.parametrize("figure", FIGURES, ids=NAMES)
def test_value_interval_and_p_by_hand(variant, figure, made):
    parts, table = made
    found = row(table, variant=variant, figure=figure.name)
    mine, base = by_place(parts, variant), by_place(parts, "ce")
    values = {place: figure.value(mine[place].scores) - figure.value(base[place].scores) for place in mine}
    assert (found["baseline"], found["weights"], found["pairs"]) == ("ce", "last", len(mine))
    assert found["difference"] == pytest.approx(np.mean(list(values.values())))
    cells = [CellTotals(mine[p].clusters, figure.totals(mine[p].scores), figure.totals(base[p].scores)) for p in mine]
    expected = mean_difference_interval(cells, figure.statistic)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert found["low"] < found["high"]
    folds = sorted({fold for fold, _ in values if fold is not None})
    units = [np.mean([v for (f, _), v in values.items() if f == fold]) for fold in folds] or list(values.values())
    patterns = np.array(np.meshgrid(*[[-1, 1]] * len(units))).reshape(len(units), -1).T @ units
    assert found["p"] == pytest.approx(np.mean(np.abs(patterns) >= abs(sum(units)) - 1e-12))
    assert (found["units"], found["exact_p"]) == (len(units), True)


def test_holm_is_over_the_variants_of_one_figure(made):
    _, table = made
    for _, family in table.groupby("figure"):
        small, large = sorted(family["p"])
        expected = {small: min(1, 2 * small), large: max(min(1, 2 * small), large)}
        assert family["p_holm"].tolist() == pytest.approx([expected[p] for p in family["p"]])


def test_a_pair_needs_both_runs(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.5}, skip=("ce_f1_s0", "crl_f2_s1"))
    table = differences(list(read_parts(collect(folder), None)), {"ce": "ce", "crl": "ce"}, FIGURES, seed=0)
    assert set(table["pairs"]) == {4}
    assert set(table["variant"]) == {"crl"}


def test_baselines():
    variants = ["focal lr=1", "ce lr=1", "ce lr=2", "crl loss.alpha=2 lr=2", "ce"]
    found = find_baselines(variants)
    assert found == {
        "focal lr=1": "ce lr=1",
        "ce lr=1": "ce lr=1",
        "ce lr=2": "ce lr=2",
        "crl loss.alpha=2 lr=2": "ce lr=2",
        "ce": "ce",
    }
    assert set(find_baselines(variants, "focal lr=1").values()) == {"focal lr=1"}
    assert find_baselines(["focal", "crl", "nllr"]) == dict.fromkeys(("focal", "crl", "nllr"), "focal")
    assert find_baselines(["crl", "focal", "ce"])["focal"] == "ce"
    with pytest.raises(FinegrainedError, match="no variant 'crll' in this study"):
        find_baselines(["crl", "focal"], "crll")
