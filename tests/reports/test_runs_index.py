"""What a folder of experiments holds, and its index."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from made_study import write_study

from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.runs_index import chosen, list_entries


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("experiments")
    write_study(root / "studies" / "faces", {"ce": 1.0, "crl": 2.0}, skip=["ce_f0_s0"])
    single = write_study(root / "x", {"crl": 2.0, "focal": 0.5}, folds=(None,), seeds=(0,))
    for name in ("crl_s0", "focal_s0"):
        (single / "cells" / name).rename(root / name)
    (root / "unfinished").mkdir()
    (root / "unfinished" / "recipe.yaml").write_text((root / "crl_s0" / "recipe.yaml").read_text())
    (root / "broken").mkdir()
    (root / "broken" / "study.yaml").write_text("a: [")
    return root


def test_every_home_is_one_entry(root):
    entries = {entry.folder: entry for entry in list_entries(root)}
    assert set(entries) == {"studies/faces", "x", "crl_s0", "focal_s0", "unfinished", "broken"}
    assert (entries["studies/faces"].kind, entries["studies/faces"].state) == ("study", "11 of 12 cells")
    assert entries["studies/faces"].loss == "ce, crl"
    assert entries["broken"].state != "done"
    assert entries["crl_s0"].state == "done"
    assert entries["crl_s0"].low < entries["crl_s0"].score < entries["crl_s0"].high
    stored = json.loads((root / "crl_s0" / "results.json").read_text())
    assert entries["crl_s0"].score == pytest.approx(stored["metrics"]["last"]["test"]["exact_accuracy"])


def test_filters_and_sorts(root):
    entries = list_entries(root)
    assert [entry.folder for entry in chosen(entries, ["FOCAL"], "folder")] == ["focal_s0", "x"]
    best = chosen(entries, ["done", "run"], "score")
    assert [entry.folder for entry in best] == ["crl_s0", "focal_s0"]
    dated = [replace(entry, date=f"2026-01-0{place}") for place, entry in zip((2, 1, 3), entries[:3], strict=True)]
    assert [entry.date[-1] for entry in chosen(dated, [], "date")] == ["3", "2", "1"]


@pytest.mark.usefixtures("no_charts")
def test_the_command_writes_an_index_that_links_reports(root, capsys):
    assert main(["report", str(root / "studies" / "faces")]) == 0
    assert main(["runs", str(root), "--json", "--filter", "faces"]) == 0
    rows = json.loads(capsys.readouterr().out.partition("[\n")[2].join(["[\n", ""]))
    assert rows[0]["report"] == "studies/faces/report.html"
    html = unescape((root / "index.html").read_text())
    assert '<a href="studies/faces/report.html">studies/faces</a>' in html
    assert "default-src 'none'" in html
    assert main(["runs", str(root), "--no-index"]) == 0
    assert re.search(r"crl_s0\s*│ run\s*│ done", capsys.readouterr().out)


def test_no_such_folder(tmp_path):
    with pytest.raises(FinegrainedError, match="is no folder"):
        list_entries(tmp_path / "none")
