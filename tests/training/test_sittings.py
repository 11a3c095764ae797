"""The record of who worked on a run: one entry per process, and never what keeps a run from going on."""

import json
import subprocess
import sys

import pytest

from finegrained_crl.training import sittings


def test_each_process_is_an_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fgcrl", "finetune", "--out", "a b"])
    sittings.begin(tmp_path)
    sittings.begin(tmp_path)
    sittings.end(tmp_path)
    first, second = sittings.read(tmp_path)
    assert first["command"] == second["command"] == "fgcrl finetune --out 'a b'"
    assert "ended" not in first
    assert second["began"] <= second["ended"]
    assert 10 < second["peak_mib"] < 1_000_000
    assert "cores" in second["machine"]
    assert first["source"] == second["source"] == sittings.source_state()


@pytest.mark.parametrize("content", ["{", '{"sittings": 3}', '{"sittings": ["x"]}', "[]"])
def test_a_damaged_record_is_begun_again(content, tmp_path):
    (tmp_path / sittings.NAME).write_text(content)
    assert sittings.read(tmp_path) == []
    sittings.begin(tmp_path)
    assert len(sittings.read(tmp_path)) == 1


def test_no_record_is_not_ended(tmp_path):
    sittings.end(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_checkout_says_its_commit_and_whether_it_was_changed(tmp_path, monkeypatch):
    root = tmp_path / "root"
    module = root / "finegrained_crl" / "training" / "sittings.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    monkeypatch.setattr(sittings, "__file__", str(module))
    assert sittings.source_state() == ""
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert sittings.source_state() == f"commit {commit}"
    module.write_text("changed")
    assert sittings.source_state() == f"commit {commit}, changed since"


def test_a_run_keeps_its_record_under_the_seal(train):
    folder, _ = train()
    (one,) = sittings.read(folder)
    assert one["peak_mib"] > 10
    assert sittings.NAME in json.loads((folder / "COMMITTED").read_text())["files"]
