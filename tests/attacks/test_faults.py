"""A fault at each write of a run leaves the old content or the new, and a run that goes on to the same bytes."""

import errno
import os

import pytest

from finegrained_crl import files
from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError

NAMES = ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors", "epochs.csv", "COMMITTED")
CALLS = ("replace", "fsync", "link")
TIMED = ("epochs.csv", "COMMITTED")
"""Seconds are in them, and what depends on these."""


class KillError(BaseException):
    """The process is gone: nothing after it may run but what the system does."""


class Disk:
    """The calls of `files.py` that reach the disk, one of which goes wrong.

    Args:
        at: which of them, from 0; negative: none.
        fault: an errno, or "before" or "after" for a kill before or after the call.
    """

    def __init__(self, monkeypatch, at, fault):
        self.at, self.fault, self.number = at, fault, 0
        for name in CALLS:
            monkeypatch.setattr(files.os, name, self._wrapped(getattr(os, name)))

    def _wrapped(self, real):
        def call(*arguments, **named):
            is_hit = self.number == self.at
            self.number += 1
            if is_hit and isinstance(self.fault, int):
                raise OSError(self.fault, os.strerror(self.fault))
            if is_hit and self.fault == "before":
                raise KillError
            done = real(*arguments, **named)
            if is_hit and self.fault == "after":
                raise KillError
            return done

        return call


def finetune(flags, out, *words):
    return main(["finetune", *flags, "--out", str(out), *words])


def writes_of(flags, out):
    """How often a whole run reaches the disk."""
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, -1, "")
        assert finetune(flags, out) == 0
        return disk.number


def check_fault(flags, whole, out, at, fault, capsys):
    """Break one write, go on, compare."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        Disk(patch, at, fault)
        try:
            code = finetune(flags, out)
        except KillError:
            code = None
    said = capsys.readouterr().err
    if code == 1:
        assert "can't write" in said.splitlines()[-1], (at, fault, said)
    assert finetune(flags, out, "--resume") == 0, (at, fault, capsys.readouterr().err)
    for name in NAMES:
        if name not in TIMED:
            assert (out / name).read_bytes() == (whole / name).read_bytes(), (at, fault, name)
    assert main(["verify", str(out)]) == 0


FAULTS = (errno.ENOSPC, errno.EIO, "before", "after")


def test_a_fault_at_some_writes(flags, tmp_path, capsys):
    number = writes_of(flags, tmp_path / "whole")
    assert number > 30
    for i, fault in enumerate(FAULTS):
        at = (i * 9 + 2) % number
        check_fault(flags, tmp_path / "whole", tmp_path / f"run{i}", at, fault, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_every_write(fault, flags, tmp_path, capsys):
    for at in range(writes_of(flags, tmp_path / "whole")):
        check_fault(flags, tmp_path / "whole", tmp_path / f"run{at}", at, fault, capsys)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("at", [0, 1])
def test_a_file_keeps_its_old_content(number, at, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    Disk(monkeypatch, at, number)  # 0 is the flush of the new content, 1 the rename
    with pytest.raises(FinegrainedError, match="its previous content is kept"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_no_file_is_written_into_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_bytes(pipe, b"through")
    assert os.read(reader, 20) == b"through"
    assert pipe.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]
    with pytest.raises(FinegrainedError, match=r"can't write /dev/full .No space left"):
        files.write_bytes(files.Path("/dev/full"), b"x" * 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "RUN", "PICTURE", "--out", "PICTURE/x"], "can't make the folder"),
        (["predict", "RUN", "PICTURE", "--out", "/dev/full"], "No space left"),
        (["report", "x" * 300], "File name too long"),
        (["verify", "x" * 300], "File name too long"),
        (["finetune", "--resume", "--out", "x" * 300], "File name too long"),
        (["plot", "curves", "RUN", "--out", "PICTURE/x.png"], "can't write"),
        (["explain", "RUN", "PICTURE", "--out", "PICTURE/x"], "Not a directory"),
        (["finetune", "FLAGS", "--out", "PICTURE/x"], "Not a directory"),
        (["finetune", "FLAGS", "--out", "PICTURE"], "File exists"),
        (["finetune", "FLAGS", "--out", "out\udcff"], "UTF-8"),
        (["finetune", "FLAGS", "--checkpoint-seconds=-1", "--out", "x"], "--checkpoint-seconds must not be"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(words, message, flags, known, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run, picture = tmp_path / "run", known.csv.parent / "test" / "0.png"
    if "RUN" in words:
        assert finetune(flags, run) == 0
    filled = [word.replace("RUN", str(run)).replace("PICTURE", str(picture)) for word in words]
    at = filled.index("FLAGS") if "FLAGS" in filled else None
    capsys.readouterr()
    assert main(filled if at is None else [*filled[:at], *flags, *filled[at + 1 :]]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


RECIPES = [
    "warmup_epochs:\n",
    "warmup_epochs: a\n",
    "schedule: multistep\ndecay_epochs: [a, b]\n",
    "decay_epochs: 3\n",
    "method: {name: [1]}\n",
    "epochs: x\n",
    "lr: .nan\n",
    "loss: {name: }\n",
]


@pytest.mark.parametrize("text", RECIPES)
def test_a_recipe_with_a_value_of_another_kind_is_one_line(text, known, tmp_path, capsys):
    (tmp_path / "r.yaml").write_text(text)
    words = ["--data", str(known.csv), "--dataset", "table", "--recipe", str(tmp_path / "r.yaml"), "--epochs", "1"]
    assert main(["finetune", *words, "--dry-run"]) == 1
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("fgcrl finetune: error: ")
    assert "Traceback" not in error


def test_a_letter_changed_in_the_recipe_of_a_run_under_way_is_refused(
    flags, tmp_path, stop_after_saves, monkeypatch, capsys
):
    stop_after_saves(1)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        finetune(flags, tmp_path / "run")
    monkeypatch.undo()
    recipe = tmp_path / "run" / "recipe.yaml"
    text = recipe.read_text()
    for damaged in (text.replace("lr: 1.0", "lr: 1.1"), text[: len(text) // 2], text.replace("sha256", "sha257")):
        recipe.write_text(damaged)
        capsys.readouterr()
        assert main(["finetune", "--resume", "--out", str(tmp_path / "run")]) == 1
        assert "recipe.yaml" in capsys.readouterr().err
