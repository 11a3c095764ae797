"""`fgcrl predict` on files, folders, globs and CSVs; and what it refuses."""

import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from finegrained_crl.cli.main import main
from finegrained_crl.training.predictor import load_run


@pytest.fixture(scope="module")
def run(tiny_flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["finetune", *tiny_flags, "--epochs", "1", "--out", str(folder)]) == 0
    return folder


def predict(*words: object) -> int:
    return main(["predict", *map(str, words)])


def test_a_folder_agrees_with_the_runs_own_predictions(run, tiny_folder, tmp_path):
    assert predict(run, tiny_folder / "test", "--out", tmp_path / "preds.csv", "--batch-size", 5) == 0
    table = pd.read_csv(tmp_path / "preds.csv")
    assert list(table.columns) == ["path", "class", "label", "probability", "top5_classes", "top5_probabilities"]
    own = pd.read_parquet(run / "predictions.parquet")
    expected = {path: logits.argmax() for path, logits in zip(own["path"], own["logits"], strict=True)}
    found = {
        path.removeprefix(f"{tiny_folder}/"): label for path, label in zip(table["path"], table["label"], strict=True)
    }
    assert found == expected
    assert table["top5_classes"].str.split("|").map(set).map({"left", "middle", "right"}.__eq__).all()
    sums = table["top5_probabilities"].map(lambda text: sum(map(float, text.split("|"))))
    assert sums.between(0.999, 1.001).all()


def test_a_glob_and_a_csv_name_the_same_pictures(run, tiny_folder, tmp_path, capsys):
    pd.DataFrame({"file": [f"{i}.png" for i in range(4)]}).to_csv(
        tiny_folder / "test" / "left" / "list.csv", index=False
    )
    assert predict(run, tiny_folder / "test" / "left" / "*.png", "--json") == 0
    by_glob = json.loads(capsys.readouterr().out)["predictions"]
    assert predict(run, tiny_folder / "test" / "left" / "list.csv", "--path-column", "file", "--json") == 0
    by_csv = json.loads(capsys.readouterr().out)["predictions"]
    (tiny_folder / "test" / "left" / "list.csv").unlink()
    assert len(by_glob) == 4
    assert by_glob == by_csv


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["/nowhere", "x.png"], "/nowhere holds no run"),
        (["RUN", "nothing/*.png"], "no picture found for nothing/*.png"),
        (["RUN", "TEST", "--weights", "selected"], "no 'selected' weights"),
        (["RUN", "TEST", "--batch-size", "0"], "--batch-size must be at least 1, got 0"),
    ],
)
def test_mistakes_are_one_line(words, text, run, tiny_folder, capsys):
    given = [{"RUN": str(run), "TEST": str(tiny_folder / "test")}.get(word, word) for word in words]
    assert predict(*given) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_an_unfinished_run_says_how_to_go_on(run, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text((run / "recipe.yaml").read_text())
    assert predict(tmp_path, "x.png") == 1
    assert f"is not finished: continue it with --resume --out {tmp_path}" in capsys.readouterr().err


def test_exported_weights_load_into_plain_timm(run):
    import timm

    model = timm.create_model("test_resnet", num_classes=3).eval()
    model.load_state_dict(load_file(run / "checkpoints" / "model_last.safetensors"), strict=True)
    mean, std = (np.float32(model.pretrained_cfg[name]) for name in ("mean", "std"))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    pixels = torch.from_numpy((pictures / np.float32(255) - mean) / std).permute(0, 3, 1, 2)
    scores = load_run(run, device="cpu").scores(pictures[:, None])
    assert model(pixels).detach().numpy() == pytest.approx(scores, abs=1e-5)


def test_weights_of_a_run_start_another(run, tiny_flags, tmp_path, capsys):
    weights = run / "checkpoints" / "model_last.safetensors"
    assert main(["finetune", *tiny_flags, "--weights", str(weights), "--dry-run", "--json"]) == 0
    assert "old head dropped (fc.bias, fc.weight)" in json.loads(capsys.readouterr().out)["weights"]
    bad = {k: v[:1] if k == "conv1.0.weight" else v for k, v in load_file(weights).items() if k != "bn1.weight"}
    save_file({k: v.contiguous() for k, v in bad.items()}, tmp_path / "bad.safetensors")
    assert main(["finetune", *tiny_flags, "--weights", str(tmp_path / "bad.safetensors"), "--dry-run"]) == 1
    assert "1 missing (bn1.weight)" in capsys.readouterr().err


def test_a_checkpoint_with_code_in_it_is_refused(run, tiny_flags, tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").mkdir, ())

    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"state_dict": Trap()}, protocol=2))
    assert main(["finetune", *tiny_flags, "--weights", str(tmp_path / "trap.pth"), "--dry-run"]) == 1
    assert "trap.pth refused: the pickle holds more than tensors and could run code" in capsys.readouterr().err
    folder = tmp_path / "run"
    folder.joinpath("checkpoints").mkdir(parents=True)
    folder.joinpath("recipe.yaml").write_text((run / "recipe.yaml").read_text())
    folder.joinpath("checkpoints", "last.pt").write_bytes(pickle.dumps(Trap(), protocol=2))
    assert main(["finetune", "--out", str(folder), "--resume"]) == 1
    assert "could run code" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()


def test_a_folder_is_its_pictures_in_order_without_hidden_files(run, tiny_folder, tmp_path, capsys):
    names = [f"{word}.png" for word in ("kiwi", "owl", "auk", "rail", "coot", "teal", "deep/ibis", "deep/emu", "crow")]
    for name in (*names, ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(tiny_folder / "test" / "left" / "0.png", tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    capsys.readouterr()
    assert predict(run, tmp_path, "--json") == 0
    shown = [row["path"] for row in json.loads(capsys.readouterr().out)["predictions"]]
    assert shown == [str(tmp_path / name) for name in sorted(names)]


def test_a_name_that_a_spreadsheet_would_compute_is_text(run, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny_folder / "test" / "left" / "0.png", "=1+1.png")
    assert predict(run, "=1+1.png", "--out", "out.csv") == 0
    assert pd.read_csv("out.csv")["path"].tolist() == ["'=1+1.png"]


def test_a_run_that_converted_pictures_goes_on_doing_so(run, tiny_flags, tmp_path, capsys):
    Image.new("RGBA", (40, 40), (10, 200, 30, 90)).save(tmp_path / "glass.png")
    words = ["finetune", *tiny_flags, "--epochs", "1", "--convert-images", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    assert predict(tmp_path / "run", tmp_path / "glass.png") == 0
    assert main(["explain", str(tmp_path / "run"), str(tmp_path / "glass.png"), "--out", str(tmp_path / "out")]) == 0
    assert predict(run, tmp_path / "glass.png") == 1
