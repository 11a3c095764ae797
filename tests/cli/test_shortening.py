"""A smaller --epochs takes along what the recipe counts in epochs, and nothing that the user set."""

import pytest

from finegrained_crl.cli.main import main
from finegrained_crl.cli.parsing import normalise
from finegrained_crl.cli.shortening import fitted_to_epochs

BASE = {"epochs": 40, "warmup_epochs": 4, "decay_epochs": [10, 20, 30]}


def fitted(*words, base=BASE):
    return fitted_to_epochs(normalise(list(words)), base)


@pytest.mark.parametrize(
    ("epochs", "warmup", "decays"),
    [
        (39, 4, [10, 20, 30]),
        (31, 4, [10, 20, 30]),
        (30, 4, [8, 15, 22]),
        (20, 4, [5, 10, 15]),
        (5, 4, [1, 2, 4]),
        (4, 3, [1, 2, 3]),
        (1, 0, [1]),
    ],
)
def test_warm_up_and_decays(epochs, warmup, decays):
    values, notes = fitted("--epochs", str(epochs))
    assert (values["warmup_epochs"], values["decay_epochs"]) == (warmup, decays)
    changed = (warmup != 4) + (decays != [10, 20, 30])
    assert len(notes) == changed


@pytest.mark.parametrize("epochs", ["40", "41", "0", "-1", "x"])
def test_no_shorter_no_change(epochs):
    assert fitted("--epochs", epochs) == (BASE, [])
    assert fitted() == (BASE, [])


def test_what_the_user_set_stays():
    values, notes = fitted("--epochs=2", "--warmup-epochs", "3", "--decay_epochs", "9")
    assert (values, notes) == (BASE, [])


def test_stages_of_the_method_shrink_in_proportion():
    base = {"epochs": 10, "method": {"name": "bcnn", "stage1_epochs": 20, "compact_dim": 64}}
    values, notes = fitted("--epochs", "5", base=base)
    assert values["method"] == {"name": "bcnn", "stage1_epochs": 10, "compact_dim": 64}
    assert notes == ["stage1_epochs 10"]
    assert fitted("--epochs", "1", base=base)[0]["method"]["stage1_epochs"] == 2
    few = {"epochs": 10, "method": {"name": "bcnn", "stage1_epochs": 2}}
    assert fitted("--epochs", "1", base=few)[0]["method"]["stage1_epochs"] == 1
    given, _ = fitted("--epochs", "5", "--method.stage1-epochs", "7", base=base)
    assert given["method"]["stage1_epochs"] == 20
    other, _ = fitted("--epochs", "5", "--method", "resnet", base=base)
    assert other["method"] == base["method"]


def test_one_epoch_of_a_recipe_with_a_warm_up_trains(tiny_folder, tmp_path, capsys):
    words = ["--recipe", "small-cpu", "--data", str(tiny_folder), "--backbone", "test_resnet", "--weights", "none"]
    run = ["--epochs", "1", "--image-size", "32", "--batch-size", "8", "--workers", "0", "--out", str(tmp_path / "run")]
    assert main(["finetune", *words, *run]) == 0
    assert "--epochs shortens the recipe, so also: warmup_epochs 0" in capsys.readouterr().err
    assert (tmp_path / "run" / "epochs.csv").read_text().count("\n") == 2
