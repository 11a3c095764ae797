"""Runs of plain fine-tuning: what the public recipes change reaches the run, and a frozen probe moves one layer."""

import json

import pytest
import yaml
from safetensors.torch import load_file

from finegrained_crl.cli.main import main
from finegrained_crl.data.loading import EpochOrder


@pytest.mark.parametrize(("flag", "sizes"), [((), [9, 9]), (("--drop-last", "false"), [9, 9, 6])])
def test_the_last_batch_is_trained_on_where_the_recipe_says_so(flag, sizes, finetune_birds, tmp_path, monkeypatch):
    """24 pictures in batches of 9."""
    shown, iterate = [], EpochOrder.__iter__

    def recorded(order):
        for batch in iterate(order):
            shown.append(len(batch))
            yield batch

    monkeypatch.setattr(EpochOrder, "__iter__", recorded)
    assert finetune_birds("--batch-size", 9, "--epochs", 1, "--out", tmp_path / "run", *flag) == 0
    assert shown == sizes


@pytest.fixture
def random_weights(tmp_path):
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_a_probe_moves_the_classifier_alone(finetune_birds, random_weights, tmp_path):
    words = ["--recipe", "cub-probe", "--weights", random_weights, "--out", tmp_path / "run"]
    assert finetune_birds(*words, "--warmup-epochs", 0, "--schedule", "constant") == 0
    before, after = load_file(random_weights), load_file(tmp_path / "run" / "checkpoints" / "model_last.safetensors")
    moved = [
        name
        for name in after
        if after[name].shape != before[name].shape or not bool((after[name] == before[name]).all())
    ]
    assert moved == ["fc.bias", "fc.weight"] or moved == ["fc.weight", "fc.bias"]


def test_a_transformer_at_another_size_trains_predicts_and_explains(finetune_birds, small_birds, tmp_path, capsys):
    """test_vit's own size is 160 px; the run's is 48, three patches a side."""
    run = tmp_path / "run"
    assert finetune_birds("--backbone", "test_vit", "--image-size", 48, "--epochs", 1, "--out", run) == 0
    picture = next((small_birds / "images").rglob("*.jpg"))
    capsys.readouterr()
    assert main(["predict", str(run), str(picture), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert main(["explain", str(run), str(picture), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert "Grad-CAM" in capsys.readouterr().out


def test_a_size_that_the_patches_do_not_divide_is_one_line(finetune_birds, tmp_path, capsys):
    assert finetune_birds("--backbone", "test_vit", "--image-size", 50, "--out", tmp_path / "run") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("fgcrl finetune: error: --backbone test_vit can't take --image-size 50: ")
    assert error.endswith("the nearest sizes are 48 or 64")
    assert not (tmp_path / "run").exists()


def test_smoothing_is_said_once(finetune_birds, tmp_path):
    assert finetune_birds("--label-smoothing", 0.1, "--epochs", 1, "--out", tmp_path / "run") == 0
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["label_smoothing"] == 0.1
    assert "label_smoothing" not in recipe["loss"]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert "label_smoothing" not in json.dumps({key: results[key] for key in ("loss", "roles") if key in results})
