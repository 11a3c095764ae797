"""DCL from the command line on generated birds: every recipe's shape, what a run leaves, interruption."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

FOLDER = Path(__file__).parents[3] / "plugins/finegrained_crl_plugins/dcl/recipes"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


# The recipes for cars have the shapes of those for birds, and what they say is read by tests/cli/test_recipes.py.
FAST = [recipe if "cars" not in recipe else pytest.param(recipe, marks=pytest.mark.slow) for recipe in RECIPES]


@pytest.mark.parametrize("recipe", FAST)
def test_every_recipe_trains_at_small_size(recipe, finetune_birds, tmp_path):
    assert finetune_birds("--method", "dcl", "--recipe", recipe, "--out", tmp_path) == 0
    history = pd.read_csv(tmp_path / "epochs.csv")
    roles = ["train_loss_class", "train_loss_swap", "train_loss_construction"]
    assert len(history) == 2
    assert history["train_loss"].to_numpy() == pytest.approx(history[roles].sum(axis=1).to_numpy())
    check_method(recipe, yaml.safe_load((tmp_path / "recipe.yaml").read_text())["method"])
    assert json.loads((tmp_path / "results.json").read_text())["metrics"]["last"]["test"]["num_images"] == 12
    heads = {name.split(".")[0] for name in load_file(tmp_path / "checkpoints" / "model_last.safetensors")}
    assert heads == {"backbone", "classifier", "swap", "construction"}


def check_method(recipe, written):
    weights = {"cars": 0.01, "cars-public": 0.01, "cars27-equal": 0.1}
    assert written["construction_weight"] == weights.get(recipe, 1.0)
    assert written["shuffle"] == ("repository" if "public" in recipe else "paper")


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_recipe_says_of_the_method(recipe):
    check_method(recipe, yaml.safe_load((FOLDER / f"{recipe}.yaml").read_text())["method"])


def test_worker_destruction_and_soft_targets(finetune_birds, tmp_path):
    flags = [
        "--method",
        "dcl",
        "--method.destroy",
        "worker",
        "--method.grid",
        3,
        "--label-smoothing",
        0.1,
        "--workers",
        1,
    ]
    assert finetune_birds(*flags, "--out", tmp_path / "one") == 0
    assert finetune_birds(*flags, "--workers", 0, "--out", tmp_path / "none") == 0
    losses = [pd.read_csv(tmp_path / name / "epochs.csv")["train_loss"].tolist() for name in ("one", "none")]
    assert losses[0] == losses[1]  # the shuffle depends on seed, epoch and picture alone


# Whole batches are slow; how they are destroyed is tests/plugins/dcl/test_destruction.py's.
@pytest.mark.parametrize("destroy", [pytest.param("batch", marks=pytest.mark.slow), "worker"])
def test_interrupted_ends_bit_identical(destroy, finetune_birds, tmp_path, monkeypatch, stop_after_saves):
    flags = ["--method", "dcl", "--recipe", "cub-public", "--method.destroy", destroy, "--checkpoint-seconds", 0]
    assert finetune_birds(*flags, "--out", tmp_path / "whole") == 0
    stop_after_saves(2)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        finetune_birds(*flags, "--out", tmp_path / "cut")
    monkeypatch.undo()
    assert finetune_birds(*flags, "--out", tmp_path / "cut", "--resume") == 0
    whole, cut = (load_file(tmp_path / name / "checkpoints" / "model_last.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_bad_option_is_one_line(finetune_birds, tmp_path, capsys):
    assert finetune_birds("--method", "dcl", "--method.grid", 1, "--out", tmp_path / "run") == 1
    assert "--method.grid must be at least 2, got 1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
