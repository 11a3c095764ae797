"""`fgcrl explain` draws what each method's run used."""

import json

import pytest
from PIL import Image

from finegrained_crl.cli.main import main

METHODS = {
    "resnet": ["photograph", "Grad-CAM"],
    "bcnn": ["photograph", "Grad-CAM"],
    "dfl": ["photograph", "Grad-CAM", "strongest filters"],
    "dcl": ["photograph", "Grad-CAM", "destroyed"],
}
OPTIONS = {
    "bcnn": ["--method.reduce", "4", "--method.stage1-epochs", "0"],
    "dcl": ["--method.grid", "2"],
    "dfl": ["--method.filters", "2"],
}


@pytest.mark.parametrize("method", METHODS)
def test_a_png_with_the_methods_panels(method, tiny_flags, tiny_folder, tmp_path, capsys):
    run = tmp_path / "run"
    words = [*tiny_flags, "--method", method, *OPTIONS.get(method, []), "--image-size", "64", "--epochs", "1"]
    assert main(["finetune", *words, "--out", str(run)]) == 0
    capsys.readouterr()
    picture = next(iter(sorted((tiny_folder / "test" / "left").glob("*.png"))))
    assert main(["explain", str(run), str(picture), "--class", "right", "--out", str(tmp_path / "out"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["images"]
    assert row["explained"] == "right"
    assert len(row["top"]) == 3
    assert [title.startswith(start) for title, start in zip(row["panels"], METHODS[method], strict=True)] == [
        True
    ] * len(METHODS[method])
    drawn = Image.open(row["png"])
    assert drawn.size[0] == round((len(METHODS[method]) * 3.4 + 0.5) * 130)
    assert (row["true_class"], row["predicted"]) == ("left", row["top"][0]["class"])


def test_mistakes_are_one_line(tiny_flags, tiny_folder, tmp_path, capsys):
    run, picture = tmp_path / "run", next((tiny_folder / "test").rglob("*.png"))
    assert main(["finetune", *tiny_flags, "--epochs", "1", "--out", str(run)]) == 0
    capsys.readouterr()
    for words, text in [
        ([run, picture, "--class", "rigt"], "--class rigt: the run knows no such class; did you mean 'right'"),
        ([tmp_path, picture], "holds no run"),
        ([run, "nothing.jpg"], "no picture found for nothing.jpg"),
        ([run, picture, "--out", picture], "is a file: give a folder"),
    ]:
        assert main(["explain", *map(str, words)]) == 1
        error = capsys.readouterr().err
        assert text in error
        assert error.count("\n") == 1
