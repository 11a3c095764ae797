"""What a run may not go on from without a word: changed data, damaged checkpoints; and what it must go on from: any
signal, any update."""

import contextlib
import json
import os
import shutil
import signal
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from stopped import stopping

from finegrained_crl.cli.main import main
from finegrained_crl.training import checkpoint
from finegrained_crl.training.loop import Loop

FLAGS = [
    "--dataset",
    "table",
    "--backbone",
    "test_resnet",
    "--weights",
    "none",
    "--image-size",
    "32",
    "--batch-size",
    "8",
    "--lr",
    "0.01",
    "--workers",
    "0",
]


def make_table(pictures, folder):
    shutil.copytree(pictures, folder)
    rows = [
        {"path": path.relative_to(folder).as_posix(), "label": path.parent.name, "split": path.parts[-3]}
        for path in sorted(folder.rglob("*.png"))
    ]
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


@pytest.fixture
def table(tiny_folder, tmp_path):
    """The tiny pictures as a table that a test may change."""
    return make_table(tiny_folder, tmp_path / "pictures")


@pytest.fixture(scope="module")
def still(tiny_folder, tmp_path_factory):
    """The same as a table that no test changes."""
    return make_table(tiny_folder, tmp_path_factory.mktemp("still") / "pictures")


@pytest.fixture(scope="module")
def whole(still, tmp_path_factory):
    """Runs on `still` from the beginning to the end, each made once."""
    runs = {}

    def run(*words):
        if words not in runs:
            runs[words] = tmp_path_factory.mktemp("whole") / "run"
            with on_one_thread():
                assert finetune(still, runs[words], *words) == 0
        return runs[words]

    return run


@contextlib.contextmanager
def on_one_thread():
    """As the commands that are started beside; sums depend on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_same(run, whole, names=("results.json", "predictions.parquet")):
    for name in names:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


def finetune(table, out, *words):
    return main(["finetune", *FLAGS, "--data", str(table), "--epochs", "3", "--out", str(out), *map(str, words)])


def rewrite(table, change):
    rows = pd.read_csv(table)
    change(rows)
    rows.to_csv(table, index=False)


def repaint(path):
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0] = 255 - pixels[0, 0]
    Image.fromarray(pixels).save(path)


def set_first(column, value):
    return lambda rows: rows.__setitem__(column, [value, *rows[column][1:]])


ROTATED = {"left": "middle", "middle": "right", "right": "left"}
SWAPPED = {"train": "test", "test": "train"}
CHANGES = {
    "a picture replaced": (lambda t: repaint(t.parent / "train/left/0.png"), "train/left/0.png"),
    "a label changed": (lambda t: rewrite(t, set_first("label", "right")), "label"),
    "all labels rotated": (lambda t: rewrite(t, lambda r: r.__setitem__("label", r["label"].map(ROTATED))), "label"),
    "train and test swapped": (
        lambda t: rewrite(t, lambda r: r.__setitem__("split", r["split"].map(SWAPPED))),
        "swapped",
    ),
    "one picture to the other part": (lambda t: rewrite(t, set_first("split", "train")), "split"),
    "a class renamed": (lambda t: rewrite(t, lambda r: r.replace({"label": {"left": "port"}}, inplace=True)), "port"),
    "a picture removed": (lambda t: rewrite(t, lambda r: r.drop(index=0, inplace=True)), "test/left/0.png"),
    "a picture added": (
        lambda t: (
            shutil.copy(t.parent / "train/left/0.png", t.parent / "new.png"),
            rewrite(t, lambda r: r.__setitem__("path", ["new.png", *r["path"][1:]])),
        ),
        "new.png",
    ),
    "two pictures exchanged": (
        lambda t: [
            os.rename(t.parent / a, t.parent / b)
            for a, b in (
                ("train/left/0.png", "x"),
                ("train/right/0.png", "train/left/0.png"),
                ("x", "train/right/0.png"),
            )
        ],
        "2 pictures",
    ),
    "a subject column": (
        lambda t: rewrite(t, lambda r: r.__setitem__("subject", [f"p{i}" for i in range(len(r))])),
        "subject",
    ),
}


@pytest.fixture(scope="module")
def begun(tiny_folder, tmp_path_factory):
    """A run that ended at its first checkpoint, and its table, which stays in its place: the recipe names it."""
    folder = tmp_path_factory.mktemp("begun")
    table = make_table(tiny_folder, folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        stopping(patch)(1)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            finetune(table, folder / "run")
    return folder / "run", table


@pytest.fixture
def begun_and_kept(begun, tiny_folder, tmp_path):
    """A copy of that run, and the table; what a test changes in it is undone."""
    run, table = begun
    yield shutil.copytree(run, tmp_path / "run"), table
    shutil.rmtree(table.parent)
    make_table(tiny_folder, table.parent)


@pytest.mark.parametrize("name", CHANGES)
def test_data_changed_between_kill_and_resume_is_refused(name, begun_and_kept, capsys):
    change, message = CHANGES[name]
    run, table = begun_and_kept
    change(table)
    capsys.readouterr()
    assert finetune(table, run, "--resume") == 1
    error = capsys.readouterr().err
    assert "the data changed since the run in" in error
    assert message in error
    assert error.count("\n") == 1
    assert not (run / "results.json").exists()


def test_a_finished_run_is_not_shown_for_data_that_changed(table, tmp_path, capsys):
    assert finetune(table, tmp_path / "run") == 0
    assert finetune(table, tmp_path / "run", "--resume") == 0
    repaint(table.parent / "test/right/1.png")
    capsys.readouterr()
    assert finetune(table, tmp_path / "run", "--resume") == 1
    assert "the data changed since the run in" in (error := capsys.readouterr().err)
    assert "test/right/1.png" in error
    assert finetune(table, tmp_path / "run", "--resume", "--accept-changed-data") == 0
    shutil.rmtree(table.parent)
    assert finetune(table, tmp_path / "run", "--resume") == 0


def test_changed_data_can_be_accepted_and_is_written_down(table, tmp_path, stop_after_saves, monkeypatch, capsys):
    stop_after_saves(1)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        finetune(table, tmp_path / "run")
    monkeypatch.undo()
    repaint(table.parent / "train/left/0.png")
    stop_after_saves(1)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        finetune(table, tmp_path / "run", "--resume", "--accept-changed-data")
    monkeypatch.undo()
    assert finetune(table, tmp_path / "run", "--resume") == 0  # it is known until the run is finished
    (change,) = json.loads((tmp_path / "run" / "results.json").read_text())["data"]["accepted_changes"]
    assert "train/left/0.png" in change


def signalled_at(patch, number, update):
    """This process gets a signal within the n-th update from now on."""
    real, count = Loop.update, [0]

    def updated(loop, group):
        count[0] += 1
        if count[0] == update:
            os.kill(os.getpid(), number)
        real(loop, group)

    patch.setattr(Loop, "update", updated)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(number, still, whole, tmp_path, monkeypatch, capsys):
    expected = whole()
    capsys.readouterr()
    with on_one_thread():
        signalled_at(monkeypatch, number, 5)  # the second of the second epoch
        assert finetune(still, tmp_path / "run", "--checkpoint-seconds", "9999") == 128 + number
        monkeypatch.undo()
        check_what_was_said(tmp_path / "run", capsys.readouterr().err)
        assert not (tmp_path / "run" / "results.json").exists()
        assert finetune(still, tmp_path / "run", "--resume") == 0
    assert_same(tmp_path / "run", expected, WEIGHTS_TOO)


WEIGHTS_TOO = ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors")


def check_what_was_said(run, said):
    assert f"go on with: fgcrl finetune --resume --out {run}" in said.splitlines()[-1]
    assert "Traceback" not in said
    saved = checkpoint.load(run / "checkpoints" / "last.pt")["progress"]
    assert f"saved at epoch {saved['epoch'] + 1}, update {saved['update']}" in said


# The same in a process of its own, at a moment that nobody chose; the fast one is the test above.
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_from_outside_saves_and_says_how_to_go_on(number, still, whole, tmp_path, start_fgcrl):
    words = ["--epochs", "40", "--checkpoint-seconds", "9999"]
    command = start_fgcrl("finetune", *FLAGS, "--data", still, "--out", tmp_path / "run", *words)
    while not (tmp_path / "run" / "epochs.csv").exists() and command.process.poll() is None:
        time.sleep(0.02)
    command.send(number)
    assert command.end() == 128 + number
    check_what_was_said(tmp_path / "run", command.log.read_text())
    with on_one_thread():
        assert finetune(still, tmp_path / "run", "--epochs", "40", "--resume") == 0
    assert_same(tmp_path / "run", whole("--epochs", "40"), WEIGHTS_TOO)


# Within the first update and behind it; the same in the second epoch is slow.
@pytest.mark.parametrize("saves", [1, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 4))])
def test_a_run_goes_on_from_any_update_whatever_the_accumulation(
    saves, still, whole, tmp_path, stop_after_saves, monkeypatch
):
    # 24 pictures in batches of 5 are 4 batches: 3 of them are one update, the last one another.
    words = ["--batch-size", "5", "--accumulate", "3", "--checkpoint-seconds", "0"]
    expected = whole(*words)
    stop_after_saves(saves)
    with on_one_thread():
        with pytest.raises(RuntimeError, match="pulled the plug"):
            finetune(still, tmp_path / "run", *words)
        monkeypatch.undo()
        assert finetune(still, tmp_path / "run", *words, "--resume") == 0
    assert_same(tmp_path / "run", expected)


def flip_bit(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


@pytest.fixture(scope="module")
def cut(still, tmp_path_factory):
    """A run that ended at its second checkpoint."""
    folder = tmp_path_factory.mktemp("cut") / "run"
    with pytest.MonkeyPatch.context() as patch, on_one_thread():
        stopping(patch)(2)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            finetune(still, folder)
    return folder


# The head, the middle and the trailer; other places are slow.
@pytest.mark.parametrize(
    "share", [0.0, 0.6, 0.9999, *(pytest.param(n, marks=pytest.mark.slow) for n in (0.1, 0.35, 0.9))]
)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_used(share, still, whole, cut, tmp_path, capsys):
    shutil.copytree(cut, tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    flip_bit(last, int(share * last.stat().st_size))
    with on_one_thread():
        assert finetune(still, tmp_path / "run", "--resume") == 0
    assert "is damaged" in (said := capsys.readouterr().err)
    assert "going on from the one before" in said
    assert_same(tmp_path / "run", whole(), ["results.json"])


def test_both_checkpoints_damaged_is_one_line(still, cut, tmp_path, capsys):
    shutil.copytree(cut, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").glob("*last.pt"):
        flip_bit(path, path.stat().st_size // 2)
    assert finetune(still, tmp_path / "run", "--resume") == 1
    assert "is damaged" in capsys.readouterr().err.splitlines()[-1]


COMMITTED_FILES = (
    "recipe.yaml",
    "results.json",
    "predictions.parquet",
    "data.parquet",
    "checkpoints/model_last.safetensors",
    "epochs.csv",
)


def test_every_file_of_a_finished_run_is_guarded(table, tmp_path, capsys):
    run = tmp_path / "run"
    assert finetune(table, run) == 0
    assert main(["verify", str(run)]) == 0
    for name in COMMITTED_FILES:
        before = (run / name).read_bytes()
        flip_bit(run / name, len(before) // 2)
        capsys.readouterr()
        assert main(["verify", str(run), "--json"]) == 1, name
        assert json.loads(capsys.readouterr().out)["damaged"] == {
            str(run): [f"{name}: its content is not what the run wrote"]
        }
        if name in ("recipe.yaml", "results.json", "checkpoints/model_last.safetensors"):
            assert main(["predict", str(run), str(table.parent / "test")]) == 1, name
            assert f"{name}: its content is not what the run wrote" in capsys.readouterr().err
        (run / name).write_bytes(before)
    (run / "epochs.csv").unlink()
    assert main(["verify", str(run)]) == 1
    assert "epochs.csv: missing" in capsys.readouterr().out


def test_verify_of_something_else_is_one_line(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "holds neither a run (recipe.yaml) nor a study (study.yaml)" in capsys.readouterr().err
