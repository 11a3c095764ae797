"""`fgcrl recipe`: what is shipped can be read and copied after an installation."""

import json

import pytest
import yaml

from finegrained_crl.cli.main import main
from finegrained_crl.training.committed import sealed
from finegrained_crl.training.run_folder import RunFolder


def test_show_prints_the_file(capsys):
    assert main(["recipe", "show", "dcl/cub"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# fgcrl finetune --method dcl --recipe cub")
    assert yaml.safe_load(text)["method"]["name"] == "dcl"


def test_a_copy_is_the_recipe_and_trains(tmp_path, tiny_folder, capsys):
    copy = tmp_path / "mine.yaml"
    assert main(["recipe", "copy", "small-cpu", str(copy)]) == 0
    capsys.readouterr()
    assert main(["recipe", "show", "small-cpu"]) == 0
    assert copy.read_text() == capsys.readouterr().out
    words = ["--recipe", str(copy), "--data", str(tiny_folder), "--backbone", "test_resnet", "--weights", "none"]
    assert main(["finetune", *words, "--image-size", "32", "--batch-size", "8", "--dry-run", "--json"]) == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["show", "resnt/cub"], "no recipe file"),
        (["show", "cubb"], "did you mean 'cub'"),
        (["copy", "cub", "mine.txt"], "give a name that ends in .yaml"),
        (["copy", "cub", "there.yaml"], "there.yaml is there already"),
    ],
)
def test_mistakes_are_one_line(words, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.yaml").write_text("keep me")
    assert main(["recipe", *words]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert (tmp_path / "there.yaml").read_text() == "keep me"


def test_a_file_is_checked_as_a_run_reads_it(tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text("lr: 0.1\nloss: {name: crl, alpha: 2}\n")
    assert main(["recipe", "check", str(mine)]) == 0
    said = capsys.readouterr().out
    assert f"{mine}: method resnet, loss crl" in said
    assert "at their defaults, as the file does not say: " in said
    assert ", lr," not in said
    assert main(["recipe", "check", "resnet/cub"]) == 0
    assert " epochs," not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr: -1", "--lr must be at least 0, got -1"),
        ("learning_rate: 1", "unknown setting 'learning_rate'"),
        ("lr: fast", "lr"),
        ("loss: {name: crl, alfa: 2}", "unknown setting 'loss.alfa'"),
        ("- a", "recipe"),
        ("loss: {name: carl}", "did you mean"),
    ],
)
def test_what_a_run_would_refuse_is_refused(text, message, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(text)
    assert main(["recipe", "check", str(tmp_path / "mine.yaml")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_recipes_files_and_runs_are_compared(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("lr: 0.1\nloss: {name: crl, alpha: 2.0}\n")
    (tmp_path / "b.yaml").write_text("loss: ce\nlr: 0.1\nepochs: 7\n")
    a, b = str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")
    assert main(["recipe", "diff", a, b, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["loss.name"] == {"A": "crl", "B": "ce"}
    assert found["loss.alpha"] == {"A": 2.0, "B": "-"}
    assert found["epochs"]["B"] == 7
    assert "lr" not in found
    assert main(["recipe", "diff", a, a]) == 0
    assert f"{a} and {a} have the same settings" in capsys.readouterr().out
    run = RunFolder(tmp_path / "run")
    run.folder.mkdir()
    run.recipe.write_text(sealed((tmp_path / "b.yaml").read_text()))
    assert main(["recipe", "diff", str(run.folder), a]) == 0
    said = capsys.readouterr().out
    assert "loss.name" in said
    assert main(["recipe", "diff", a, "resnet/gone"]) == 1
    assert "unknown recipe 'gone'" in capsys.readouterr().err
