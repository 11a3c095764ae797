"""`fgcrl verify`: every state of a run and a study, by its exit code and its words."""

import json

import pytest
from made_study import write_study

from finegrained_crl.cli.main import main


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.2}, skip=["ce_f1_s0", "crl_f1_s0"])


def said(capsys, *words):
    capsys.readouterr()
    code = main(["verify", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_whole(study, capsys):
    assert said(capsys, study) == (
        0,
        {"folder": str(study), "damaged": {}, "unfinished": ["ce_f1_s0", "crl_f1_s0"]},
    )
    assert main(["verify", str(study)]) == 0
    assert "10 of 12 as they were when finished, 2 not finished" in capsys.readouterr().out


def test_damaged(study, capsys):
    (study / "cells" / "ce_f0_s0" / "results.json").write_text("{}")
    code, found = said(capsys, study)
    assert code == 1
    assert list(found["damaged"]) == ["ce_f0_s0"]
    assert main(["verify", str(study)]) == 1
    shown = capsys.readouterr().out
    assert "9 of 12 as they were when finished, 2 not finished" in shown
    assert "results.json: 2 bytes" in shown


def test_cells_that_contradict_each_other(tmp_path, capsys):
    def changed(cell, frame, results):
        if cell.name == "ce_f0_s0":
            results["versions"]["python"] = "4"
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0}, changed=changed)
    code, found = said(capsys, folder)
    assert code == 1
    assert "python" in found["damaged"]["between cells"][0]
    assert main(["verify", str(folder)]) == 1
    assert "6 of 6 as they were when finished" in capsys.readouterr().out


def test_a_run(study, capsys):
    run = study / "cells" / "crl_f2_s1"
    assert said(capsys, run)[0] == 0
    (run / "COMMITTED").rename(run / "gone")
    assert said(capsys, run) == (0, {"folder": str(run), "damaged": {}, "unfinished": [str(run)]})
    assert main(["verify", str(study / "logs")]) == 1
    assert "holds neither a run (recipe.yaml) nor a study" in capsys.readouterr().err
