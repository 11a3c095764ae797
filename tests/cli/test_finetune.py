"""`fgcrl finetune` as a user types it: a run folder, the same one after an interruption, and one line for each
mistake.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from finegrained_crl.cli.finetune import with_absolute_paths
from finegrained_crl.cli.main import main
from finegrained_crl.training import checkpoint
from finegrained_crl.training.recipe import Recipe


def finetune(*words: object) -> int:
    return main(["finetune", *map(str, words)])


@pytest.fixture(scope="module")
def run(tiny_flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert finetune(*tiny_flags, "--out", folder, "--checkpoint-seconds", 0) == 0
    return folder


def test_leaves_a_complete_run_folder(run):
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and "tfevents" not in path.name}
    assert files == {
        ".lock",
        "recipe.yaml",
        "epochs.csv",
        "predictions.parquet",
        "results.json",
        "data.parquet",
        "model_card.md",
        "COMMITTED",
        "sittings.json",
        "checkpoints/last.pt",
        "checkpoints/model_last.safetensors",
    }
    assert list((run / "tensorboard").glob("*tfevents*"))


def test_results_carry_their_protocol(run):
    results = json.loads((run / "results.json").read_text())
    assert results["protocol"]["denominator"] == results["metrics"]["last"]["test"]["num_images"] == 12
    assert results["protocol"]["views"] == "single"
    assert results["metrics"]["selected_on_validation"] is None
    assert results["oracle_on_test"] is None
    assert results["seed"] == 0
    assert results["versions"]["torch"]
    assert results["class_names"] == ["left", "middle", "right"]


def test_accuracy_agrees_with_the_stored_predictions(run):
    table = pd.read_parquet(run / "predictions.parquet")
    hits = [logits.argmax() == label for logits, label in zip(table["logits"], table["label"], strict=True)]
    results = json.loads((run / "results.json").read_text())
    assert sum(hits) / len(hits) == results["metrics"]["last"]["test"]["top1_accuracy"]
    assert table["id"].is_unique


def test_recipe_alone_repeats_the_run_bit_for_bit(run, tmp_path):
    assert finetune("--recipe", run / "recipe.yaml", "--out", tmp_path / "again", "--workers", 1) == 0
    assert_same_run(tmp_path / "again", run)


def test_json_prints_the_results(run, capsys):
    assert finetune("--out", run, "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((run / "results.json").read_text())


@pytest.mark.parametrize(
    "extra",
    [
        [],
        [
            "--mixup",
            0.4,
            "--cutmix",
            1.0,
            "--ema",
            0.9,
            "--accumulate",
            2,
            "--optimizer",
            "adamw",
            "--label-smoothing",
            0.1,
        ],
        ["--val-fraction", 0.25, "--early-stopping", 2, "--drop-rate", 0.3, "--class-balanced", "--clip-grad", 1],
    ],
)
def test_interrupted_at_any_update_ends_bit_identical(extra, tiny_flags, tmp_path, monkeypatch, stop_after_saves):
    flags = [*tiny_flags, "--batch-size", 4, "--checkpoint-seconds", 0, *extra]
    assert finetune(*flags, "--out", tmp_path / "whole") == 0
    for stop in (2, 5):
        stop_after_saves(stop)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            finetune(*flags, "--out", tmp_path / "cut", "--resume")
    monkeypatch.undo()
    assert finetune(*flags, "--out", tmp_path / "cut", "--resume") == 0
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_killed_for_real_ends_bit_identical(run, tiny_flags, tmp_path, start_fgcrl):
    folder = tmp_path / "killed"
    command = start_fgcrl("finetune", *tiny_flags, "--out", folder, "--resume", "--checkpoint-seconds", "0")
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints" / "last.pt").exists() and command.process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    command.process.kill()
    assert command.end() == -signal.SIGKILL
    assert (folder / "recipe.yaml").exists()
    assert finetune(*tiny_flags, "--out", folder, "--resume") == 0
    assert_same_run(folder, run)


def test_validation_is_cut_from_train_and_kept_apart(tiny_flags, tmp_path):
    assert (
        finetune(
            *tiny_flags, "--val-fraction", 0.25, "--early-stopping", 1, "--test-every", 1, "--out", tmp_path / "run"
        )
        == 0
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["data"] == {**results["data"], "train": 18, "val": 6, "test": 12}
    assert results["headline"] == "selected"
    assert set(results["metrics"]["selected_on_validation"]) == {"test", "val"}
    assert "not a result" in results["oracle_on_test"]["note"]


@pytest.mark.parametrize("views", ["flip", "ten-crop"])
def test_views_stand_in_the_results(views, tiny_flags, tmp_path):
    assert finetune(*tiny_flags, "--epochs", 1, "--views", views, "--out", tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]["views"] == views


@pytest.mark.parametrize("loss", ["ce", "crl"])
def test_freezing_the_backbone_leaves_it_untouched(loss, tiny_flags, tmp_path):
    assert finetune(*tiny_flags, "--loss", loss, "--freeze", "backbone", "--epochs", 1, "--out", tmp_path / "one") == 0
    assert finetune(*tiny_flags, "--loss", loss, "--freeze", "backbone", "--epochs", 2, "--out", tmp_path / "two") == 0
    one, two = (
        checkpoint.load_weights_file(tmp_path / n / "checkpoints" / "model_last.safetensors") for n in ("one", "two")
    )
    changed = {name for name in one if not one[name].equal(two[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_auto_times_and_records_a_choice(tiny_flags, tmp_path, capsys):
    assert (
        finetune(
            *tiny_flags, "--epochs", 1, "--precision", "auto", "--memory-format", "auto", "--out", tmp_path / "run"
        )
        == 0
    )
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["precision"] in ("fp32", "bf16")
    assert recipe["memory_format"] in ("contiguous", "channels_last")
    assert f"auto took {recipe['precision']}, {recipe['memory_format']}" in capsys.readouterr().err


def test_dry_run_writes_nothing_and_tells_sizes(tiny_flags, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert finetune(*tiny_flags, "--dry-run", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["images"] == {"train": 24, "val": 0, "test": 12}
    assert facts["images_per_class"]["left"] == {"train": 8, "test": 4}
    assert facts["parameters"]["total"] == facts["parameters"]["trained"] > 0
    assert list(tmp_path.iterdir()) == []


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# With --device cpu two processes run in tests/training/test_ranks.py.
@pytest.mark.parametrize("device", [pytest.param(["--device", "cpu"], marks=pytest.mark.slow), []])
def test_two_processes_evaluate_every_picture_once(device, tiny_flags, tmp_path, start_fgcrl):
    words = ["finetune", *tiny_flags, "--batch-size", "4", *device, "--out", tmp_path / "run"]
    # What torchrun sets. Without a GPU, as far as this machine has one: then the device need not be named.
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    shared["CUDA_VISIBLE_DEVICES"] = ""
    ranks = [start_fgcrl(*words, **shared, RANK=rank, LOCAL_RANK=rank) for rank in "01"]
    assert [command.end() for command in ranks] == [0, 0], ranks[0].log.read_text()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["processes"] == 2
    assert results["metrics"]["last"]["test"]["num_images"] == 12
    assert pd.read_parquet(tmp_path / "run" / "predictions.parquet")["id"].is_unique


# torchrun itself, and fresh processes; what it sets is set in the test above.
@pytest.mark.slow
def test_torchrun_starts_it(tiny_flags, tmp_path):
    root = Path(__file__).parents[2]
    path = os.pathsep.join(str(root / part) for part in (".", "plugins", "datasets"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    words = ["-m", "finegrained_crl", "finetune", *tiny_flags, "--dry-run", "--json"]
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*launcher, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == {"train": 24, "val": 0, "test": 12}


MISTAKES = [
    (["--data", "/nowhere"], "--data /nowhere does not exist"),
    (["--imag-size", "3"], "unknown option --imag-size: did you mean '--image-size'"),
    (["--image-size", "x"], "--image-size: Expected a int. Got value: x"),
    (["--loss", "clr"], "unknown loss 'clr': did you mean 'crl'"),
    (["--loss.alpha", "-1"], "alpha must be"),
    (["--loss.alhpa", "1"], "unknown option --loss.alhpa: did you mean '--loss.alpha'"),
    (["--dataset", "cub"], "unknown data set 'cub': did you mean 'cub200'"),
    (["--method", "resnt"], "unknown method 'resnt': did you mean 'resnet'"),
    (["--recipe", "cubb"], "unknown recipe 'cubb' of method resnet: did you mean 'cub'"),
    (["--backbone", "resnt50"], "timm has no model 'resnt50'; did you mean"),
    (["--weights", "/no.pth"], "no weights file /no.pth"),
    (["--optimizer", "sgdd"], "timm has no 'sgdd'; did you mean 'sgd'"),
    (["--freeze", "layr1"], "the model has no module 'layr1'; did you mean 'layer1'"),
    (
        ["--epochs", "0", "--batch-size", "0"],
        "--epochs must be at least 1, got 0; --batch-size must be at least 1, got 0",
    ),
    (["--early-stopping", "3"], "--early-stopping needs a validation part"),
    (["--mixup", "1", "--batch-size", "7"], "--batch-size must be even, got 7"),
    (["--split", "tset"], "tset"),
    (["--fold", "9"], "fold"),
]


@pytest.mark.parametrize(("flags", "text"), MISTAKES, ids=[" ".join(flags) for flags, _ in MISTAKES])
def test_a_mistake_is_one_line_and_leaves_nothing(flags, text, tiny_flags, tmp_path, capsys):
    assert finetune(*tiny_flags, *flags, "--out", tmp_path / "run") == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_misspelt_key_in_a_recipe_is_named(tiny_flags, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("epocs: 3\nloss: {name: crl, alpah: 2}\n")
    assert finetune(*tiny_flags, "--recipe", tmp_path / "mine.yaml", "--out", tmp_path / "run") == 1
    error = capsys.readouterr().err
    assert "'epocs' (did you mean 'epochs'?)" in error
    assert "'loss.alpah' (did you mean 'loss.alpha'?)" in error


def test_another_runs_folder_is_refused(run, tiny_flags, capsys):
    before = (run / "results.json").read_bytes()
    assert finetune(*tiny_flags, "--out", run) == 1
    assert "holds a finished run: add --resume" in capsys.readouterr().err
    assert finetune(*tiny_flags, "--out", run, "--resume", "--epochs", 5) == 1
    assert "epochs: 2 there, 5 asked" in capsys.readouterr().err
    assert (run / "results.json").read_bytes() == before


def test_a_folder_of_something_else_is_refused(tiny_flags, tmp_path, capsys):
    (tmp_path / "letter.txt").write_text("dear")
    assert finetune(*tiny_flags, "--out", tmp_path) == 1
    assert "is not empty and holds no run" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_a_diverging_loss_names_batch_and_pictures(tiny_flags, tmp_path, capsys):
    flags = [*tiny_flags, "--optimizer", "momentum", "--lr", "1e20", "--epochs", 3, "--checkpoint-seconds", 0]
    assert finetune(*flags, "--out", tmp_path / "run") == 1
    error = capsys.readouterr().err
    assert "epoch 1, batch" in error
    assert "lower --lr" in error
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    if last.exists():
        assert all(t.isfinite().all() for t in checkpoint.load(last)["trainee"].values())


def test_a_truncated_picture_found_while_training_is_one_line(tiny_folder, tiny_flags, tmp_path, capsys):
    import shutil

    data = tmp_path / "data"
    shutil.copytree(tiny_folder, data)
    victim = data / "train" / "left" / "0.png"
    victim.write_bytes(victim.read_bytes()[:-800])
    assert finetune(*tiny_flags, "--data", data, "--workers", 1, "--out", tmp_path / "run") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert str(victim) in error
    assert "Traceback" not in error


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_paths_of_a_saved_recipe_mean_the_same_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = with_absolute_paths(Recipe(data="pictures", weights="mine.safetensors"))
    assert (saved.data, saved.weights) == (str(tmp_path / "pictures"), str(tmp_path / "mine.safetensors"))
    assert with_absolute_paths(Recipe(data="", weights="pretrained")) == Recipe(data="", weights="pretrained")
