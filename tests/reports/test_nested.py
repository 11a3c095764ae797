"""Settings chosen on validation inside each fold, checked by hand where validation and test disagree."""

import numpy as np
import pytest
from made_study import row, write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports.nested import _at_the_edge, choose_settings
from finegrained_crl.reports.parts import read_parts
from finegrained_crl.reports.sheets import make_sheets
from finegrained_crl.reports.study import study_figures

EXACT = find_figure("exact_accuracy")
VARIANTS = {"ce lr=0.1": 1.0, "ce lr=0.2": 2.0, "crl lr=0.1": 1.5, "crl lr=0.2": 2.5}


def crossed(cell, frame, results):
    """On fold 1 the validation part favours the smaller rate, though the larger one is better on test."""
    if cell.fold == 1 and "lr=0.1" in cell.variant:
        val = frame["part"] == "val"
        perfect = [9.0 * np.eye(4)[label] for label in frame.loc[val, "label"]]
        frame.loc[val, "logits"] = np.array([*perfect, None], dtype=object)[:-1]
    return frame


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("nested") / "s", VARIANTS, changed=crossed, select=["lr"])
    return collect(folder)


def test_each_fold_chooses_by_its_validation_part(study):
    parts = list(read_parts(study, None))
    kept, choices = choose_settings(parts, ("lr",), EXACT)
    assert {part.cell.variant for part in kept} == {"ce", "crl"}
    assert len(kept) == len(parts) / 2
    for variant in ("ce", "crl"):
        assert row(choices, variant=variant, fold=1)["setting"] == "lr=0.1"
        for fold in (0, 1, 2):
            of_fold = [p for p in parts if p.cell.fold == fold and p.cell.variant.split()[0] == variant]
            by_setting = {name: [p for p in of_fold if p.cell.variant.endswith(name)] for name in ("lr=0.1", "lr=0.2")}
            val, test = (
                {name: np.mean([EXACT.value(getattr(p, which)) for p in group]) for name, group in by_setting.items()}
                for which in ("validation", "scores")
            )
            best = max(val, key=val.get)
            chosen = row(choices, variant=variant, fold=fold)
            assert (chosen["setting"], chosen["tried"]) == (best, 2)
            assert chosen["validation"] == pytest.approx(val[best])
            assert chosen["test"] == pytest.approx(test[best])
            assert chosen["grid_test"] == pytest.approx(np.mean(list(test.values())))
            mine = [p.scores for p in kept if p.cell.fold == fold and p.cell.variant == variant]
            assert [id(s) for s in mine] == [id(p.scores) for p in by_setting[best]]


def test_a_figure_that_is_better_lower_chooses_the_lowest(study):
    _, by_nll = choose_settings(list(read_parts(study, None)), ("lr",), find_figure("nll"))
    assert row(by_nll, variant="ce", fold=1)["setting"] == "lr=0.1"


def test_the_report_compares_the_choices_alone(study):
    figures = study_figures(study)
    assert set(figures.variants["variant"]) == {"ce", "crl"}
    assert set(figures.differences["variant"]) == {"crl"}
    assert set(figures.cells["variant"]) == set(VARIANTS)  # every run is still listed
    sheet = {s.name: s for s in make_sheets(figures, "adience", "made up")}["choices-last"]
    chosen = figures.choices.to_dict("records")
    shown = [[f"{100 * choice[name]:.2f}" for name in ("validation", "test", "grid_test")] for choice in chosen]
    assert [sheet_row[3:6] for sheet_row in sheet.rows] == shown
    assert any(len(set(numbers)) == 3 for numbers in shown)
    assert sheet.rows[0] == ["CE", "0", chosen[0]["setting"], *shown[0], "2", "-"]
    assert {sheet_row[7] for sheet_row in sheet.rows} == {"-"}
    assert len(sheet.rows) == 6


def test_a_setting_with_half_its_seeds_is_no_candidate(tmp_path):
    folder = write_study(tmp_path / "s", VARIANTS, changed=crossed, select=["lr"], skip=["ce_lr=0.1_f1_s1"])
    _, choices = choose_settings(list(read_parts(collect(folder), None)), ("lr",), EXACT)
    assert row(choices, variant="ce", fold=1)["setting"] == "lr=0.2"
    assert row(choices, variant="ce", fold=1)["tried"] == 1


def test_without_validation_nothing_can_be_chosen(tmp_path):
    folder = write_study(tmp_path / "s", VARIANTS, validation=False, select=["lr"])
    with pytest.raises(FinegrainedError, match="has no validation part to choose lr on"):
        study_figures(collect(folder))


@pytest.mark.parametrize(
    ("chosen", "edge"),
    [
        ("lr=0.1 loss.alpha=1", "lr smallest"),
        ("lr=0.3 loss.alpha=1", ""),
        ("lr=1e1 loss.alpha=2", "lr largest"),
    ],
)
def test_a_choice_at_the_edge_of_three_or_more_values_is_told(chosen, edge):
    variants = [
        f"ce {lr} {alpha}" for lr in ("lr=0.1", "lr=0.3", "lr=1e1") for alpha in ("loss.alpha=1", "loss.alpha=2")
    ]
    assert ", ".join(_at_the_edge(chosen, variants)) == edge


def test_values_that_are_no_numbers_have_no_edge():
    variants = [f"ce optimizer={name}" for name in ("sgd", "adamw", "lamb")]
    assert list(_at_the_edge("optimizer=sgd", variants)) == []


def test_the_report_names_the_edge_that_a_choice_lies_on(tmp_path):
    three = {"ce lr=0.1": 1.0, "ce lr=0.2": 2.0, "ce lr=0.4": 4.0}
    figures = study_figures(collect(write_study(tmp_path / "s", three, select=["lr"])))
    told = {"lr=0.1": "lr smallest", "lr=0.2": "-", "lr=0.4": "lr largest"}
    sheet = {s.name: s for s in make_sheets(figures, "adience", "made up")}["choices-last"]
    assert [row[7] for row in sheet.rows] == [told[row[2]] for row in sheet.rows]
    assert "lr largest" in {row[7] for row in sheet.rows}
