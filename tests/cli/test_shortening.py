"""`--epochs N` below the recipe's: nothing the user did not set stands in the way, nothing goes on beyond it."""

import pytest

from finegrained_crl.cli import settings
from finegrained_crl.cli.main import main
from finegrained_crl.cli.shortening import fitted_to_epochs

BASE = {
    "epochs": 60,
    "warmup_epochs": 5,
    "decay_epochs": [30, 50],
    "method": {"name": "bcnn", "stage1_epochs": 40, "reduce": 4},
}


def fitted(*words, base=BASE):
    return fitted_to_epochs(settings.normalise(list(words)), base)


def test_warm_up_decays_and_stages_follow():
    values, notes = fitted("--epochs", "6")
    assert values["warmup_epochs"] == 5
    assert values["decay_epochs"] == [3, 5]
    assert values["method"] == {"name": "bcnn", "stage1_epochs": 4, "reduce": 4}
    assert notes == ["decay_epochs [3, 5]", "stage1_epochs 4"]
    values, notes = fitted("--epochs", "1")
    assert (values["warmup_epochs"], values["decay_epochs"], values["method"]["stage1_epochs"]) == (0, [1], 1)
    assert notes[0] == "warmup_epochs 0"


def test_what_the_user_sets_is_left():
    words = ["--epochs", "6", "--warmup-epochs", "2", "--decay-epochs", "4", "--method.stage1-epochs", "9"]
    values, notes = fitted(*words)
    assert values == BASE
    assert notes == []


@pytest.mark.parametrize("epochs", ["60", "90", "0", "x"])
def test_only_a_shorter_run_changes_anything(epochs):
    assert fitted("--epochs", epochs) == (BASE, [])


def test_without_a_recipe_the_methods_own_default_is_shortened():
    values, _ = fitted("--epochs", "3", "--method", "bcnn", base={})
    assert values["method"] == {"name": "bcnn", "stage1_epochs": 6}  # 55 of 30 epochs, a tenth of both
    assert fitted("--epochs", "3", base={}) == ({}, [])


def test_one_epoch_of_a_recipe_with_a_warm_up_trains(tiny_folder, tmp_path, capsys):
    words = ["--recipe", "small-cpu", "--data", str(tiny_folder), "--backbone", "test_resnet", "--weights", "none"]
    run = ["--epochs", "1", "--image-size", "32", "--batch-size", "8", "--workers", "0", "--out", str(tmp_path / "run")]
    assert main(["finetune", *words, *run]) == 0
    assert "--epochs shortens the recipe, so also: warmup_epochs 0" in capsys.readouterr().err
    assert (tmp_path / "run" / "epochs.csv").read_text().count("\n") == 2
