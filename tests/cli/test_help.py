"""Help of every command: fits 100 columns, repeats no type behind its choices, ends with exit code 0."""

import pytest

from finegrained_crl.cli import data, recipe, retrofit
from finegrained_crl.cli.help import wrapped
from finegrained_crl.cli.main import COMMANDS, main

VERBS = {"data": data.VERBS, "recipe": recipe.VERBS, "retrofit": retrofit.VERBS}
ASKED = [
    *([name] for name in COMMANDS),
    *([name, verb] for name, verbs in VERBS.items() for verb in verbs),
    ["data", "verify", "cub200"],
    ["data", "make", "demo-birds"],
    ["finetune", "--method", "dcl", "--loss", "focal"],
    ["plot", "curves"],
]


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_help_fits_and_says_each_thing_once(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert "type:" not in text
    assert "Literal" not in text
    assert "usage: fgcrl" in text


def test_defaults_stand_in_brackets(capsys):
    assert main(["finetune", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--batch-size N images per forward pass and process [32]" in text
    assert "number of the" not in text


def test_an_unknown_verb_is_one_line(capsys):
    assert main(["data", "verfy"]) == 1
    assert "no such verb: 'verfy'; did you mean 'verify'?" in capsys.readouterr().err


def test_a_missing_name_lists_the_names(capsys):
    assert main(["data", "verify"]) == 1
    error = capsys.readouterr().err
    assert "needs a name, one of: adience, age_files, cars196, cifar10, cifar100, cub200" in error
    assert error.count("\n") == 1


def test_long_lines_are_broken_under_their_text():
    broken = wrapped("usage: fgcrl " + "word " * 40).splitlines()
    assert len(broken) > 1
    assert all(line.startswith("       ") for line in broken[1:])
