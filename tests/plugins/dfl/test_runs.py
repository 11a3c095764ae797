"""DFL-CNN from the command line on generated birds: every recipe's shape, initialisation, interruption."""

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

RECIPES = sorted(
    path.stem for path in (Path(__file__).parents[3] / "plugins/finegrained_crl_plugins/dfl/recipes").glob("*.yaml")
)


# The recipes for cars have the shapes of those for birds, and what they say is read by tests/cli/test_recipes.py.
FAST = [recipe if "cars" not in recipe else pytest.param(recipe, marks=pytest.mark.slow) for recipe in RECIPES]


@pytest.mark.parametrize("recipe", FAST)
def test_every_recipe_trains_at_small_size(recipe, finetune_birds, tmp_path, capsys):
    assert finetune_birds("--method", "dfl", "--recipe", recipe, "--out", tmp_path) == 0
    history = pd.read_csv(tmp_path / "epochs.csv")
    roles = ["train_loss_global", "train_loss_part", "train_loss_side"]
    assert len(history) == 2
    assert history["train_loss"].to_numpy() == pytest.approx(history[roles].sum(axis=1).to_numpy())
    written = yaml.safe_load((tmp_path / "recipe.yaml").read_text())["method"]
    assert written["init"] == ("random" if "public" in recipe else "clusters")
    assert ("clusters per class" in capsys.readouterr().err) == (written["init"] == "clusters")
    heads = {name.split(".")[0] for name in load_file(tmp_path / "checkpoints" / "model_last.safetensors")}
    assert heads == {"backbone", "bank", "part", "whole"}


def test_interrupted_ends_bit_identical(finetune_birds, tmp_path, monkeypatch, stop_after_saves):
    flags = ["--method", "dfl", "--recipe", "cub", "--method.filters", 2, "--checkpoint-seconds", 0]
    assert finetune_birds(*flags, "--out", tmp_path / "whole") == 0
    stop_after_saves(2)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        finetune_birds(*flags, "--out", tmp_path / "cut")
    monkeypatch.undo()
    assert finetune_birds(*flags, "--out", tmp_path / "cut", "--resume") == 0
    whole, cut = (load_file(tmp_path / name / "checkpoints" / "model_last.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_backbone_without_that_stride_is_one_line(finetune_birds, tmp_path, capsys):
    assert (
        finetune_birds("--method", "dfl", "--method.tap", 8, "--backbone", "test_vit", "--out", tmp_path / "run") == 1
    )
    assert "--backbone test_vit has no feature maps of stride 8; it has 16" in capsys.readouterr().err
