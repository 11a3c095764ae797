"""Published beside ours: every verdict, and from study folder to report."""

from dataclasses import replace

import pandas as pd
import pytest
from made_study import write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.origin import Origin
from finegrained_crl.metrics.catalogue import primary_figure
from finegrained_crl.reports import study as study_module
from finegrained_crl.reports.ledger import data_apart, ledger, ledger_sheet, not_run
from finegrained_crl.reports.reproduction import contradictions, reproduction
from finegrained_crl.reports.sheets import make_sheets
from finegrained_crl.reports.study import study_figures
from finegrained_crl.studies.study_file import StudyFile

TOP1 = primary_figure(ordered=False)


def row(variant, value, metric="accuracy", part="one", where="Table I"):
    return {"part": part, "variant": variant, "metric": metric, "value": value, "where": where}


def study_file(*published, **more):
    parts = {"one": {"dataset": "cifar10", "backbone": "net"}, "two": {"dataset": "svhn", "backbone": "net"}}
    return StudyFile("me/a", "A table", "a paper", {}, parts, {"paper": {}}, list(published), **more)


def cells(**values):
    rows = [
        {"variant": name, "seed": seed, "fold": fold, TOP1.name: value}
        for name, seeds in values.items()
        for seed, folds in enumerate(seeds)
        for fold, value in enumerate(folds if isinstance(folds, list) else [folds])
    ]
    return pd.DataFrame(rows)


def entries(file, table, departures=(), apart=()):
    return ledger(file, Origin("me/a", "one", "paper", tuple(departures)), table, TOP1, list(apart))


@pytest.mark.parametrize(
    ("published", "metric", "status"),
    [
        (94.9, "accuracy", "reproduced"),
        (5.1, "error", "reproduced"),
        (80.0, "accuracy", "not reproduced"),
        (95.0, "error", "not reproduced"),
    ],
)
def test_inside_the_interval_for_one_run_or_not(published, metric, status):
    (entry,) = entries(study_file(row("ce", published, metric)), cells(ce=[0.94, 0.95, 0.96]))
    assert entry.status == status
    assert entry.ours == pytest.approx(95.0 if metric == "accuracy" else 5.0)
    assert entry.runs == 3
    assert entry.high - entry.low == pytest.approx(2 * 4.9683, abs=0.001)
    assert entry.why == f"{entry.ours - published:+.2f} points"


def test_folds_are_averaged_before_runs_are_compared():
    (entry,) = entries(study_file(row("ce", 90.0)), cells(ce=[[0.8, 1.0], [0.82, 1.0]]))
    assert (entry.runs, entry.ours) == (2, pytest.approx(90.5))


def test_one_run_has_no_interval():
    (entry,) = entries(study_file(row("ce", 94.0)), cells(ce=[0.95]))
    assert (entry.status, entry.why) == ("one run", "+1.00 points, no interval")


def test_other_settings_or_data_are_not_compared():
    (entry,) = entries(study_file(row("ce", 94.0)), cells(ce=[0.94, 0.95]), ["epochs 2, not 300"], ["JPEG copy"])
    assert (entry.status, entry.why) == ("not comparable", "JPEG copy; epochs 2, not 300")


def test_what_did_not_run_and_what_is_not_ours_stays_so():
    file = study_file(row("crl", 94.0), row("ce", 90.0, part="two"), beside=[row("ce", 91.0)])
    assert [(e.variant, e.status) for e in entries(file, cells(ce=[0.9, 0.91]))] == [
        ("crl", "not run"),
        ("ce", "theirs"),
    ]
    assert len(not_run(file)) == 3


def test_data_that_are_not_the_papers_are_told():
    result = {"protocol": {"text": "CIFAR-10 (JPEG copy)"}, "data": {"train": 400, "val": 100, "test": 100}}
    file = study_file(sizes={"one": [50000, 10000]})
    assert data_apart(file, "one", [result, result]) == ["JPEG copy", "500 and 100 pictures, not 50,000 and 10,000"]
    assert data_apart(file, "two", [{**result, "protocol": {"text": "x (generated, seed 0)"}}]) == ["generated"]
    right = {"protocol": {"text": "CIFAR-10"}, "data": {"train": 45000, "val": 5000, "test": 10000}}
    assert data_apart(file, "one", [right]) == []


def test_the_table_has_every_number():
    (entry,) = entries(study_file(row("ce", 80.0)), cells(ce=[0.94, 0.95]))
    sheet = ledger_sheet([entry])
    assert sheet.rows == [
        ["one", "CE, accuracy", "80.00", "94.50", "83.50 to 105.50", "2", "not reproduced", "+14.50 points", "Table I"]
    ]


@pytest.fixture
def reported(tmp_path, monkeypatch):
    """Figures of a study that was made from a file, at a shorter scale."""
    folder = write_study(tmp_path / "study", {"ce": 1.0, "crl": 1.2}, folds=(None,), ordered=False)
    collected = collect(folder)
    object.__setattr__(collected.study, "origin", Origin("me/a", "one", "short", ("epochs 2, not 300",)))
    file = study_file(row("crl", 50.0), row("ce", 40.0, where="Table II"), row("ce", 41.0, where="Table III"))
    monkeypatch.setattr(study_module, "study_files", lambda: {"me/a": None})
    monkeypatch.setattr(study_module, "find_study", lambda name: file)
    return collected, study_figures(collected), file


def test_every_table_says_what_was_cut(reported):
    sheets = make_sheets(reported[1], "none", "made up")
    assert sheets[-1].name == "published-ledger"
    assert len(sheets[-1].rows) == 3
    assert all("Not as printed: epochs 2, not 300." in sheet.text for sheet in sheets[:-1])


def test_the_page_of_all_studies(reported):
    collected, figures, file = reported
    other = StudyFile("me/b", "Another", "a paper", {}, {"one": {}}, {"paper": {}}, [row("nllr", 3.0)], notes=["lost"])
    text = reproduction([file, other], [(collected, figures)])
    assert "Of 4 published numbers: 3 not comparable, 1 not run." in text
    assert "- ce, net on cifar10, accuracy %: 40 (Table II), 41 (Table III)" in text
    assert "| one | NLLR, accuracy | 3.00 |  |  |  | not run |  | Table I |" in text
    assert "- lost" in text
    # A study that did not run a number has nothing to say of it.
    crl_alone = replace(
        figures, ledger=[e if e.variant == "crl" else replace(e, runs=0, status="not run") for e in figures.ledger]
    )
    again = reproduction([file], [(collected, figures), (collected, crl_alone)])
    assert "Of 3 published numbers: 3 not comparable." in again


def test_the_paper_contradicts_itself():
    from finegrained_crl.studies import find_study, study_files

    lines = contradictions(find_study(name) for name in study_files())
    assert lines == ["- ce, cifar_preact_resnet164 on cifar10, error %: 4.76 (Table III), 5.27 (Tables IV and V)"]
