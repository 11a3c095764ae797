"""What the command line asks for: repositories and sites that exist, and one line of text where they do not."""

import pytest

from finegrained_crl.cli.main import main

PROGRAM = "from torch import nn\ncrit = nn.CrossEntropyLoss()\ndef train(x, y):\n    crit(x, y).backward()\n"


@pytest.fixture
def repo(tmp_path):
    (tmp_path / "train.py").write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize("verb", ["scan", "patch"])
@pytest.mark.parametrize("word", ["train.py:9", "trian.py:4", "swap", "validate"])
def test_a_site_that_is_not_there_is_refused_with_what_is(repo, capsys, verb, word):
    assert main(["retrofit", verb, str(repo), "--only", word]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert f"no site at '{word}'" in output.err
    assert "train.py:4" in output.err


@pytest.mark.parametrize("word", ["train.py:4", "train.py:2", "train.py:train", "tr*.py", "train", "class"])
def test_every_way_to_name_a_site_is_taken_with_the_repository_last(repo, capsys, word):
    assert main(["retrofit", "patch", "--only", word, str(repo)]) == 0
    assert "+crit = CompetingRatioLoss()" in capsys.readouterr().out


def test_what_can_not_be_run_is_said_in_one_line(repo, capsys, monkeypatch):
    monkeypatch.chdir(repo)
    for words, text in (
        (["scan", "--only", "class"], "no repository named"),
        (["run", "python", "train.py"], "unknown: python train.py; the program stands behind --"),
        (["run", "--receipt", ".", "--", "python", "train.py"], "that is a folder"),
        (["run", "--verify", "0", "--", "python", "train.py"], "--verify must be at least 1, got 0"),
    ):
        assert main(["retrofit", *words]) == 1
        errors = capsys.readouterr().err
        assert text in errors
        assert errors.count("\n") == 1
