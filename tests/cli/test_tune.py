"""`fgcrl tune`: equal budgets, the same draws for every loss, a choice by validation alone, a study that goes on."""

import json

import numpy as np
import pandas as pd
import pytest
from made_study import write_study
from studies_here import Here

from finegrained_crl.cli import crossval, tune
from finegrained_crl.cli.main import main
from finegrained_crl.cli.study_plan import completed
from finegrained_crl.crossval import launch
from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe


@pytest.fixture
def tuned(tiny_folder, tmp_path, monkeypatch, capsys):
    """Runs `fgcrl tune` with cells in this process; (exit code, output, error, study folder)."""
    monkeypatch.setattr(crossval, "processes", Here)
    monkeypatch.setattr(launch, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(crossval, "expected_seconds", lambda *_: 1.0)
    network = "--backbone test_resnet --weights none --image-size 32 --batch-size 8 --epochs 2 --lr 0.01"
    data = ["--data", str(tiny_folder), "--val-fraction", "0.25", "--device", "cpu", "--jobs", "1"]

    def start(*words, out=tmp_path / "study"):
        capsys.readouterr()
        code = main(["tune", *network.split(), *data, *map(str, words), "--out", str(out)])
        said = capsys.readouterr()
        return code, said.out, said.err, out

    return start


def settings_of(out):
    """Loss -> the settings that it was tried with."""
    table = {}
    for recipe in StudyFolder(out).read().variants.values():
        table.setdefault(recipe.loss.name, []).append((recipe.lr, recipe.epochs))
    return table


@pytest.mark.slow
def test_the_choice_is_validations_and_a_larger_budget_goes_on(tuned):
    code, said, err, out = tuned("--losses", "ce", "crl", "--budget", 2, "--space", "lr=1e-3..1e-1:log", "epochs=1")
    assert code == 0, err
    first = settings_of(out)
    assert first["ce"] == first["crl"]
    assert len(first["ce"]) == 2
    assert "chosen on validation" in said
    collected = collect(out)
    for loss in ("ce", "crl"):
        val = {}
        for cell in collected.done:
            frame = collected.predictions[cell.name]
            rows = frame[(frame["part"] == "val") & (frame["weights"] == "last")]
            if cell.recipe.loss.name == loss:
                val[cell.recipe.lr] = np.mean([logits.argmax() for logits in rows["logits"]] == rows["label"])
        assert f"lr={max(val, key=val.get)}" in said
    code, _, err, _ = tuned("--losses", "ce", "crl", "--budget", 3, "--space", "lr=1e-3..1e-1:log", "epochs=1")
    assert code == 0, err
    assert settings_of(out)["ce"][:2] == first["ce"]
    assert len(settings_of(out)["crl"]) == 3
    assert StudyFolder(out).read().select == ("lr", "epochs")


def test_a_plan_runs_nothing_and_the_usual_space_is_around_the_recipe(tuned, monkeypatch):
    plans = []
    monkeypatch.setattr(crossval, "_show_plan", lambda folder, study, *_, **__: plans.append(study) or 0)
    code, _, err, out = tuned("--budget", 6, "--plan")
    assert code == 0, err
    recipes = list(plans[0].variants.values())
    assert len(recipes) == 6
    assert all(0.001 <= recipe.lr <= 0.1 for recipe in recipes)
    assert {recipe.epochs for recipe in recipes} == {1, 2}
    assert not out.exists()
    tuned("--budget", 6, "--plan", "--draw-seed", 1)
    assert [recipe.lr for recipe in plans[1].variants.values()] != [recipe.lr for recipe in recipes]


def test_a_shorter_run_has_its_warm_up_fitted():
    shorter = tune._with(Recipe(data="x", epochs=20, warmup_epochs=5, lr=0.1), {"epochs": 4, "lr": 0.2})
    assert (shorter.epochs, shorter.warmup_epochs, shorter.lr) == (4, 3, 0.2)


def test_a_shorter_run_has_its_decays_moved():
    recipe = Recipe(data="x", epochs=20, warmup_epochs=0, schedule="multistep", decay_epochs=[10, 15])
    assert tune._with(recipe, {"epochs": 4}).decay_epochs == [2, 3]


def test_the_usual_space_reaches_a_factor_of_ten_and_half_the_length():
    assert tune._usual_space(Recipe(data="x", lr=0.5, epochs=10)) == ["lr=0.05..5.0:log", "epochs=5,10"]
    assert tune._usual_space(Recipe(data="x", lr=0.5, epochs=1))[1] == "epochs=1"


def test_a_setting_of_the_loss_is_drawn_where_it_has_one():
    recipe = completed(Recipe(data="x"))
    assert tune._with(recipe, {"loss.alpha": 2.5}).loss.options["alpha"] == 2.5
    with pytest.raises(FinegrainedError, match=r"--space loss\.gamma: no such setting of loss crl"):
        tune._with(recipe, {"loss.gamma": 1})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "1"], "--budget must be from 2 to 1000"),
        (["--val-fraction", "0"], "there is none: add --val-fraction"),
        (["--grid", "lr=1,2"], "leave out --grid, --select and --controls"),
        (["--space", "seed=1,2"], "--space seed: no such setting"),
        (["--space", "lr=-1,-2"], "--lr must be"),
        (["--space", "lr"], "--space lr: expected SETTING=LOW..HIGH"),
    ],
)
def test_what_is_no_search_is_one_line_and_leaves_nothing(words, message, tuned):
    code, _, err, out = tuned(*words)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_what_was_chosen_is_shown_with_its_test_figure_alone(tmp_path, capsys):
    out = write_study(tmp_path, {"ce lr=0.1": 0.5, "ce lr=0.2": 2.0}, folds=(0,), seeds=(0,), select=("lr",))
    tune._show_choices(out)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "lr=" in line]
    assert "lr=0.2" in line
    results = json.loads((out / "cells" / "ce_lr=0.2_f0_s0" / "results.json").read_text())
    frame = pd.read_parquet(out / "cells" / "ce_lr=0.2_f0_s0" / "predictions.parquet").query("part == 'val'")
    validation = np.mean([logits.argmax() for logits in frame["logits"]] == frame["label"])
    test = results["metrics"]["last"]["test"]["exact_accuracy"]
    assert validation != test
    cells = [cell.strip() for cell in line.split("│") if cell.strip()]
    assert cells[-3:] == [f"{100 * validation:.2f}", f"{100 * test:.2f}", "2"]
