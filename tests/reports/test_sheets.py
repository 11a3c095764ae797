"""Each cell of each table of a report is the figure that its heading and its row say, shown as the catalogue does."""

import json

import numpy as np
import pytest
from made_study import GROUPS, row, write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.metrics.catalogue import all_figures as every
from finegrained_crl.metrics.catalogue import find_figure, make_scores
from finegrained_crl.reports.sheets import make_sheets, variant_title
from finegrained_crl.reports.study import study_figures

MAIN = ("exact_accuracy", "one_off_accuracy", "mae_in_groups", "quadratic_weighted_kappa", "ece", "ece_calibrated")
MORE = ("cumulative_score_2", "macro_mae_in_groups", "nll", "brier")
PAIRED = ("exact_accuracy", "one_off_accuracy", "mae_in_groups", "quadratic_weighted_kappa", "nll", "ece")
VARIANTS = ("ce", "crl", "focal")


def with_all(cell, frame, results):
    """Weights selected on validation, better than the last ones; a watched test part."""
    import pandas as pd

    chosen = frame.assign(weights="selected", logits=[3 * x for x in frame["logits"]])
    both = pd.concat([frame, chosen], ignore_index=True)
    test = both[(both["weights"] == "selected") & (both["part"] == "test")]
    scores = make_scores(np.stack(test["logits"].to_list()), test["label"].to_numpy())
    results["metrics"]["selected_on_validation"] = {"test": every(scores, ordered=True)}
    results["oracle_on_test"] = {"top1_accuracy": 0.5 + 0.1 * (cell.fold or 0) + 0.01 * cell.seed}
    return both


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    strengths = dict(zip(VARIANTS, (1.0, 2.0, 0.7), strict=True))
    figures = study_figures(collect(write_study(tmp_path_factory.mktemp("sheets"), strengths, changed=with_all)))
    return figures, {sheet.name: sheet for sheet in make_sheets(figures, "adience", "made-up faces")}


WEIGHTS = ("last", "selected on validation")


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(("name", "figures"), [("losses", MAIN), ("more", MORE)])
def test_means_and_deviations(weights, name, figures, made):
    tables, sheets = made
    sheet = sheets[f"{name}-{weights.replace(' ', '-')}"]
    assert sheet.columns == ["variant", *(find_figure(f).title for f in figures)]
    assert [cells[0] for cells in sheet.rows] == [variant_title(v) for v in VARIANTS]
    means = {}
    for i, variant in enumerate(VARIANTS):
        for j, figure in enumerate(figures):
            found = row(tables.variants, variant=variant, weights=weights, figure=figure)
            show = find_figure(figure).show
            assert sheet.rows[i][j + 1] == f"{show(found['mean'])} ± {show(found['deviation'])}"
            means[i, j] = found["mean"]
    for j, figure in enumerate(figures):
        column = [means[i, j] for i in range(3)]
        best = max(column) if find_figure(figure).better == "higher" else min(column)
        assert {i for i, k in sheet.bold if k == j + 1} == {i for i in range(3) if column[i] == best}
    assert "over 3 folds, seeds averaged within a fold; 120 held-out pictures" in sheet.text


@pytest.mark.parametrize("weights", WEIGHTS)
def test_means_with_intervals(weights, made):
    tables, sheets = made
    sheet = sheets[f"intervals-{weights.replace(' ', '-')}"]
    for i, variant in enumerate(VARIANTS):
        for j, figure in enumerate(MAIN):
            cells = row(tables.variants, variant=variant, weights=weights, figure=figure)
            show = find_figure(figure).show
            assert sheet.rows[i][j + 1] == f"{show(cells['mean'])} [{show(cells['low'])}, {show(cells['high'])}]"
    assert "holds chance in people, training sets and runs: 3 folds, 30 clusters" in sheet.text


@pytest.mark.parametrize(
    ("seeds", "words"),
    [((0,), "It speaks of other 10 clusters"), ((0, 1), "holds chance in people and runs: 2 runs, 10 clusters")],
)
def test_what_an_interval_of_one_split_holds_is_said(seeds, words, tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0}, folds=(None,), seeds=seeds)
    sheets = make_sheets(study_figures(collect(folder)), "adience", "made-up faces")
    text = next(sheet.text for sheet in sheets if sheet.name == "intervals-last")
    assert words in text
    assert ("One seed: chance in training is not in this interval." in text) == (len(seeds) == 1)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_differences(weights, made):
    tables, sheets = made
    sheet = sheets[f"differences-{weights.replace(' ', '-')}"]
    rows = iter(sheet.rows)
    for figure in PAIRED:
        for variant in ("crl", "focal"):
            found = row(tables.differences, variant=variant, weights=weights, figure=figure)
            shown = find_figure(figure)
            low, high = (shown.show(found[end], signed=True) for end in ("low", "high"))
            assert next(rows) == [
                f"{variant_title(variant)} - CE",
                shown.title,
                shown.show(found["difference"], signed=True),
                f"[{low}, {high}]",
                found["verdict"],
                f"{found['p']:.4f}",
                f"{found['p_holm']:.4f}",
                f"{found['flip_p']:.4f}",
                f"{100 * found['runs_won']:.0f}",
            ]
    assert next(rows, None) is None
    assert sheet.title == f"Differences from CE, {weights} weights"
    assert any(cells[5] != cells[6] for cells in sheet.rows)
    assert "6 pairs of runs" in sheet.text
    assert "adjusted for 2 comparisons in exact, for 22 in the other figures together" in sheet.text
    assert "it can't be below 0.25" in sheet.text


@pytest.mark.parametrize("weights", WEIGHTS)
def test_recall_per_group(weights, made):
    tables, sheets = made
    sheet = sheets[f"recall-{weights.replace(' ', '-')}"]
    assert sheet.columns == ["variant", *GROUPS]
    first = tables.groups[(tables.groups["variant"] == "ce") & (tables.groups["weights"] == weights)]
    assert sheet.rows[0] == ["(images)", *map(str, first["images"])]
    for cells, variant in zip(sheet.rows[1:], VARIANTS, strict=True):
        mine = tables.groups[(tables.groups["variant"] == variant) & (tables.groups["weights"] == weights)]
        assert cells == [variant_title(variant), *(f"{100 * share:.1f}" for share in mine["recall"])]


def test_subgroups(made):
    tables, sheets = made
    sheet = sheets["gender-last"]
    assert sheet.columns == ["gender", "images", *(find_figure(f).title for f in MAIN)]
    for cells in sheet.rows:
        value, _, title = cells[0].partition(": ")
        variant = next(v for v in VARIANTS if variant_title(v) == title)
        found = row(tables.subgroups, variant=variant, weights="last", value=value)
        assert cells[1:] == [str(found["images"]), *(find_figure(f).show(found[f]) for f in MAIN)]
    assert len(sheet.rows) == 9


def test_the_oracle_is_the_mean_over_folds(made):
    by_fold = [np.mean([0.5 + 0.1 * fold + 0.01 * seed for seed in (0, 1)]) for fold in range(3)]
    sheet = made[1]["oracle-on-test"]
    shown = f"{100 * np.mean(by_fold):.2f} ± {100 * np.std(by_fold, ddof=1):.2f}"
    assert sheet.rows == [[variant_title(v), shown, "3"] for v in VARIANTS]
    assert "not a result" in sheet.text


def test_order_and_published_figures(made):
    names = list(made[1])
    assert names[:3] == ["losses-last", "intervals-last", "published"]
    assert names[-1] == "oracle-on-test"
    published = made[1]["published"]
    assert published.columns[0] == "published method"
    assert all(len(cells) == len(published.columns) for cells in published.rows)
    figures = made[0]
    assert "published" not in [sheet.name for sheet in make_sheets(figures, "nowhere", "x")]
    warned = next(s for s in make_sheets(figures, "adience", "generated faces") if s.name == "published")
    assert "nothing in it can be compared" in warned.text
    assert "nothing in it can be compared" not in published.text


def test_classes_without_an_order_have_tables_of_their_own(tmp_path):
    figures = study_figures(collect(write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, ordered=False)))
    sheets = {sheet.name: sheet for sheet in make_sheets(figures, "x", "y")}
    main = ("top1_accuracy", "mean_class_accuracy", "nll", "ece", "ece_calibrated")
    assert sheets["losses-last"].columns == ["variant", *(find_figure(f).title for f in main)]
    assert "recall-last" not in sheets
    kinds = list(dict.fromkeys(cells[1] for cells in sheets["differences-last"].rows))
    assert kinds == [find_figure(f).title for f in ("top1_accuracy", "mean_class_accuracy", "nll", "brier", "ece")]


def test_one_run_has_no_deviation_and_no_best(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0}, folds=(None,), seeds=(0,))
    figures = study_figures(collect(folder))
    sheet = make_sheets(figures, "x", "y")[0]
    assert "±" not in " ".join(sheet.rows[0])
    assert sheet.bold == frozenset()
    assert json.dumps(sheet.rows)


def test_titles():
    assert [variant_title(v) for v in ("ce", "crl loss.alpha=2", "focal", "cdw-ce x=1")] == [
        "CE",
        "CRL loss.alpha=2",
        "focal",
        "CDW-CE x=1",
    ]
