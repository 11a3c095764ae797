"""The head of a report, and its files."""

import pandas as pd
import pytest
from made_study import write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.reports.study import study_figures
from finegrained_crl.reports.study_report import facts, report_text, write_report


def several(cell, frame, results):
    results["protocol"] |= {"validation": f"0.1 of train, stratified, seed {cell.seed}", "policy": "nearest"}
    results["method"] = {"name": "bcnn" if cell.variant == "crl" else "resnet"}
    results["weights"] = ["tag"]
    results["data"]["dropped"] = {"no face": 3, "no label": 4}
    return frame


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = write_study(
        tmp_path_factory.mktemp("head"), {"ce": 1.0, "crl": 2.0}, changed=several, skip=["crl_f2_s1"], seeds=(4, 1)
    )
    return collect(folder)


def test_facts(collected):
    assert facts(collected) == {
        "data": "made up",
        "label policy": "nearest",
        "denominator": "120 held-out pictures (40 / 40 / 40), 7 rows of the source left out",
        "folds": "0, 1, 2",
        "seeds": "1, 4",
        "cells": "11 of 12 done",
        "method": "resnet, none (tag) (ce); bcnn, none (tag) (crl)",
        "views at test time": "single",
        "decoder": "argmax",
        "validation": "0.1 of train, stratified, each cell's own seed",
        "leaks": "no subject and no listed picture on both sides",
    }


def test_every_note_and_table_is_in_the_report(collected, tmp_path):
    figures = study_figures(collected)
    figures.notes = ["mind the gap", "and the step"]
    written = write_report(tmp_path, collected, figures)
    text = (tmp_path / "report.md").read_text()
    assert "**mind the gap**" in text
    assert "**and the step**" in text
    assert text.count("\n## ") == len([path for path in written if path.suffix == ".tex"]) + 1
    assert all(path.is_file() for path in written)
    stored = pd.read_csv(tmp_path / "tables" / "variants.csv")
    assert stored["mean"].tolist() == pytest.approx(figures.variants["mean"].tolist())
    assert "made up" in (tmp_path / "tables" / "losses-last.tex").read_text()


def test_notes_of_a_study(tmp_path):
    def leaking(cell, frame, results):
        results["protocol"]["leaks"] = ["ann is in both"]
        results["data"]["accepted_changes"] = ["a label changed"]
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, changed=leaking, skip=["ce_f1_s0"])
    notes = study_figures(collect(folder)).notes
    assert notes == [
        "1 of 12 cells are missing: ce_f1_s0: not started",
        "THE DATA CHANGED while a cell ran, allowed by --accept-changed-data: a label changed",
        "THE SPLIT LEAKS, allowed by --allow-leaks: ann is in both",
    ]
    assert "THE SPLIT LEAKS" in report_text(collect(folder), study_figures(collect(folder)), [])


def test_a_baseline_a_decoder_and_a_region_are_those_asked_for(tmp_path):
    collected = collect(write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.2, "focal": 0.9}))
    plain = study_figures(collected)
    assert set(plain.differences["baseline"]) == {"ce"}
    assert set(study_figures(collected, baseline="focal").differences["baseline"]) == {"focal"}
    other = study_figures(collected, decoder="median")
    assert other.cells["mae_in_groups"].tolist() != plain.cells["mae_in_groups"].tolist()
    assert other.cells["top1_accuracy"].tolist() == plain.cells["top1_accuracy"].tolist()
    wide = study_figures(collected, rope=50)
    assert wide.differences["difference"].tolist() == plain.differences["difference"].tolist()
    assert set(wide.differences.loc[wide.differences["figure"] == "exact_accuracy", "verdict"]) == {"equivalent"}
    assert all("less than 50 points apart" in sentence for sentence in wide.headline)


def test_where_cells_differ_each_value_is_said(tmp_path):
    def changed(cell, frame, results):
        results["protocol"]["policy"] = "nearest" if cell.fold == 2 else "drop"
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0}, changed=changed)
    assert facts(collect(folder, accept_differences=True))["label policy"] == "drop; nearest"
