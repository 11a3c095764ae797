"""Differences in pairs, against plain loops over the cells."""

import numpy as np
import pytest
from made_study import row, write_study
from scipy import stats

from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports.paired import differences, find_baselines
from finegrained_crl.reports.parts import read_parts
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.statistics.runs import make_run

NAMES = ("exact_accuracy", "nll", "quadratic_weighted_kappa", "ece")
FIGURES = [find_figure(name) for name in NAMES]
STRENGTHS = {"focal": 1.1, "ce": 1.0, "crl": 1.6}


@pytest.fixture(scope="module", params=[(0, 1, 2), (0, 1), (None,)], ids=["three folds", "two folds", "one split"])
def made(request, tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("paired"), STRENGTHS, folds=request.param, seeds=(0, 1, 2))
    parts = list(read_parts(collect(folder), None))
    return parts, compare(parts, find_baselines(list(STRENGTHS)))


def compare(parts, baselines, rope=0.0):
    return differences(parts, baselines, FIGURES, primary="exact_accuracy", rope=rope, held_out=0.25)


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
    tables = [[figure.totals(part[p].scores) for part in (mine, base)] for p in mine]
    runs = [make_run(p[0], mine[p].clusters, *pair) for p, pair in zip(mine, tables, strict=True)]
    expected = estimate(runs, figure.statistic)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert found["low"] < found["high"]
    won = [v > w for p, v in cells(mine, figure) for q, w in cells(base, figure) if p[0] == q[0]]
    tied = [v == w for p, v in cells(mine, figure) for q, w in cells(base, figure) if p[0] == q[0]]
    won_share = np.mean(won) + np.mean(tied) / 2
    assert found["runs_won"] == pytest.approx(won_share if figure.better == "higher" else 1 - won_share)
    folds = sorted({fold for fold, _ in values if fold is not None})
    units = [np.mean([v for (f, _), v in values.items() if f == fold]) for fold in folds] or list(values.values())
    patterns = np.array(np.meshgrid(*[[-1, 1]] * len(units))).reshape(len(units), -1).T @ units
    assert found["flip_p"] == pytest.approx(np.mean(np.abs(patterns) >= abs(sum(units)) - 1e-12))
    assert found["smallest_flip_p"] == 2.0 ** (1 - len(units))


def cells(by_place, figure):
    return [(place, figure.value(part.scores)) for place, part in by_place.items()]


def test_p_over_folds_is_corrected_by_the_share_held_out(made):
    parts, table = made
    folds = {part.cell.fold for part in parts}
    found = row(table, variant="crl", figure="nll")
    if len(folds) > 1:
        mine, base = by_place(parts, "crl"), by_place(parts, "ce")
        nll = find_figure("nll")
        means = [
            np.mean([nll.value(mine[fold, seed].scores) - nll.value(base[fold, seed].scores) for seed in (0, 1, 2)])
            for fold in folds
        ]
        t = np.mean(means) / np.sqrt((1 / len(folds) + 0.25 / 0.75) * np.var(means, ddof=1))
        assert found["p"] == pytest.approx(2 * stats.t.sf(abs(t), len(folds) - 1))


def test_holm_is_over_variants_for_the_primary_figure_and_over_all_others_together(made):
    _, table = made
    primary = table["figure"] == "exact_accuracy"
    for rows, looks in ((primary, 2), (~primary, 6)):
        family = table[rows]
        assert set(family["family"]) == {looks} == {len(family)}
        order = family["p"].to_numpy().argsort()
        adjusted = np.maximum.accumulate(family["p"].to_numpy()[order] * np.arange(looks, 0, -1)).clip(max=1)
        assert family["p_holm"].to_numpy()[order].tolist() == pytest.approx(adjusted.tolist())


def test_a_region_in_points_holds_for_figures_in_percent(made):
    parts, plain = made
    wide = compare(parts, find_baselines(list(STRENGTHS)), rope=60)
    shares = wide["figure"].isin(["exact_accuracy", "ece"])
    assert wide.loc[~shares, "probability_better"].tolist() == plain.loc[~shares, "probability_better"].tolist()
    assert (wide.loc[shares, "probability_equivalent"] > 0.5).all()
    assert plain["probability_equivalent"].max() < 1e-12
    narrow = compare(parts, find_baselines(list(STRENGTHS)), rope=1)
    assert (narrow.loc[shares, "probability_equivalent"] < 0.5).any()


def test_better_follows_the_figures_direction(made):
    _, table = made
    found = row(table, variant="crl", figure="nll")
    assert found["difference"] < 0  # lower is better
    assert found["probability_better"] > 0.5


def test_a_pair_needs_both_runs(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.5}, skip=("ce_f1_s0", "crl_f2_s1"))
    table = compare(list(read_parts(collect(folder), None)), {"ce": "ce", "crl": "ce"})
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
