"""`fgcrl recipe`: what is shipped can be read and copied after an installation."""

import pytest
import yaml

from finegrained_crl.cli.main import main


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
