"""Run folders on a node, and their way home."""

from pathlib import Path

import pytest

from finegrained_crl.crossval import scratch
from finegrained_crl.crossval.scratch import bring_home, place_of
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed


@pytest.fixture
def run(tmp_path):
    run = tmp_path / "node" / "ce_s0"
    for name in ("results.json", "checkpoints/last.pt", "tensorboard/events", "cache/x", ".lock"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)
    committed.commit(run)
    return run


def test_all_of_it_comes_home_and_leaves_the_node(run, tmp_path):
    home = tmp_path / "study" / "cells" / "ce_s0"
    (home / "checkpoints").mkdir(parents=True)
    (home / "checkpoints" / "model_old.safetensors").write_text("of a cell that began here and was stopped")
    bring_home(run, home)
    files = sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    assert files == ["COMMITTED", "cache/x", "checkpoints/last.pt", "results.json", "tensorboard/events"]
    assert committed.problems(home) == []
    assert not run.exists()


def test_what_did_not_arrive_whole_is_not_committed(run, tmp_path, monkeypatch):
    home = tmp_path / "study" / "cells" / "ce_s0"
    copy = scratch.shutil.copyfile

    def lose_a_letter(source, target):
        copy(source, target)
        if source.name == "last.pt":
            target.write_text("checkpoints/last.p?")

    monkeypatch.setattr(scratch.shutil, "copyfile", lose_a_letter)
    with pytest.raises(FinegrainedError, match=r"checkpoints/last\.pt: its content is not what the run wrote after it"):
        bring_home(run, home)
    assert not (home / "COMMITTED").exists()
    assert (run / "COMMITTED").exists()


def test_a_full_disk_is_one_line(run, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.shutil, "copyfile", refuse)
    with pytest.raises(FinegrainedError, match=r"can't copy .* \(No space left on device\): free space there"):
        bring_home(run, tmp_path / "study" / "cells" / "ce_s0")


def test_two_studies_of_one_name_do_not_meet():
    one, other = (place_of(Path("/scratch"), Path(f"/{user}/faces/cells/ce_s0")) for user in "ab")
    assert one != other
    assert one.parent.name.startswith("faces-")
    assert one.name == "ce_s0"
