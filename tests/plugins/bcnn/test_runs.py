"""Every B-CNN recipe in its full shape (stages, schedules, accumulation, heads) on a miniature CUB."""

import json
from pathlib import Path

import pandas as pd
import pytest

RECIPES = sorted(
    path.stem for path in Path(__file__).parents[3].glob("plugins/finegrained_crl_plugins/bcnn/recipes/*.yaml")
)


# The recipes for cars have the shapes of those for birds, and what they say is read by tests/cli/test_recipes.py.
FAST = [recipe if "cars" not in recipe else pytest.param(recipe, marks=pytest.mark.slow) for recipe in RECIPES]


@pytest.mark.parametrize("recipe", FAST)
def test_recipe(recipe, finetune_birds, tmp_path):
    run = tmp_path / "run"
    assert (
        finetune_birds(
            "--method", "bcnn", "--recipe", recipe, "--method.reduce", 4, "--method.stage1-epochs", 1, "--out", run
        )
        == 0
    )
    results = json.loads((run / "results.json").read_text())
    assert [(stage["name"], stage["epochs"]) for stage in results["stages"]] == [("classifier", 1), ("network", 2)]
    assert all("CompetingRatioLoss" in text for text in results["roles"].values())
    assert 0 <= results["metrics"]["last"]["test"]["top1_accuracy"] <= 1
    epochs = pd.read_csv(run / "epochs.csv")
    if results["method"]["stage1_schedule"] == "constant":
        assert epochs["lr"][0] == results["method"]["stage1_lr"]
    assert epochs["train_loss_classifier"].notna().tolist() == [True, False, False]
