"""`fgcrl report`: each flag changes what it says."""

import json

import pandas as pd
import pytest
from made_study import write_study

from finegrained_crl.cli.main import main

pytestmark = pytest.mark.usefixtures("no_charts_here")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("report"), {"ce": 1.0, "crl": 1.2, "focal": 0.9}, seeds=(0,))


def cells(folder):
    return pd.read_csv(folder / "tables" / "cells.csv")


def test_out_decoder_and_baseline(study, tmp_path):
    before = sorted(study.rglob("*"))
    plain, other = tmp_path / "plain", tmp_path / "other"
    assert main(["report", str(study), "--out", str(plain)]) == 0
    assert main(["report", str(study), "--out", str(other), "--decoder", "median", "--baseline", "focal"]) == 0
    assert sorted(study.rglob("*")) == before
    assert cells(plain)["exact_accuracy"].tolist() == cells(plain)["top1_accuracy"].tolist()
    assert cells(other)["exact_accuracy"].tolist() != cells(other)["top1_accuracy"].tolist()
    baselines = [set(pd.read_csv(out / "tables" / "differences.csv")["baseline"]) for out in (plain, other)]
    assert baselines == [{"ce"}, {"focal"}]


def test_the_terminal_shows_the_first_table(study, tmp_path, capsys):
    assert main(["report", str(study), "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("Losses, last weights") == 1
    assert "Mean ± sample standard deviation" in shown
    assert f"report: {tmp_path / 'report.html'} and {tmp_path / 'report.md'}" in shown
    assert "CRL is better than CE in" in shown or "This study cannot tell whether CRL" in shown


def test_json(study, tmp_path, capsys):
    assert main(["report", str(study), "--out", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"][0] == str(tmp_path / "report.md")
    assert {row["variant"] for row in said["variants"]} == {"ce", "crl", "focal"}


def test_cells_that_differ_need_a_word(tmp_path, capsys):
    def changed(cell, frame, results):
        results["versions"]["python"] = cell.name
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0}, changed=changed)
    assert main(["report", str(folder)]) == 1
    assert "don't belong together" in capsys.readouterr().err
    assert main(["report", str(folder), "--accept-changed-data"]) == 0
    assert "CELLS DIFFER" in (folder / "report.md").read_text()


def test_a_folder_of_parts_gets_one_report_each(tmp_path, capsys):
    for name in ("cifar10", "svhn"):
        write_study(tmp_path / "table-3" / name, {"ce": 1.0, "crl": 1.2}, seeds=(0,))
    assert main(["report", str(tmp_path / "table-3")]) == 0
    assert main(["report", str(tmp_path / "table-3"), "--out", str(tmp_path / "out"), "--baseline", "crl"]) == 0
    for part in (tmp_path / "table-3" / "cifar10", tmp_path / "table-3" / "svhn", tmp_path / "out" / "svhn"):
        baseline = "crl" if "out" in part.parts else "ce"
        assert set(pd.read_csv(part / "tables" / "differences.csv")["baseline"]) == {baseline}
    assert f"part svhn: {tmp_path / 'table-3' / 'svhn'}" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "table-3"), "--json"]) == 1
    assert f"holds 2: give {tmp_path / 'table-3' / 'cifar10'}" in capsys.readouterr().err
