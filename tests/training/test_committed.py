"""The record of what a finished run wrote."""

import json

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed


@pytest.fixture
def run(tmp_path):
    for name in ("results.json", "checkpoints/model_last.safetensors", "tensorboard/events", "cache/f.npy", ".lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    committed.commit(tmp_path)
    return tmp_path


def test_what_counts(run):
    assert committed.contents(run) == ["checkpoints/model_last.safetensors", "results.json"]
    assert set(committed.read_record(run)) == set(committed.contents(run))
    assert committed.problems(run) == []


def test_each_kind_of_damage_is_named(run):
    (run / "results.json").write_text("THIS is results.json")
    assert committed.problems(run) == ["results.json: its content is not what the run wrote"]
    (run / "results.json").write_text("short")
    assert committed.problems(run) == ["results.json: 5 bytes, 20 when the run was finished"]
    with pytest.raises(FinegrainedError, match=r"is damaged: results.json: 5 bytes"):
        committed.check_file(run, "results.json")
    (run / "results.json").unlink()
    assert committed.problems(run) == ["results.json: missing"]
    committed.check_file(run, "checkpoints/model_last.safetensors")


def test_what_came_later_is_named_in_the_runs_own_places(run):
    (run / "report.md").write_text("a report is welcome")
    assert committed.problems(run) == []
    (run / "checkpoints" / "model_other.safetensors").write_text("not mine")
    assert committed.problems(run) == ["checkpoints/model_other.safetensors: not there when the run was finished"]
    with pytest.raises(FinegrainedError, match=r"model_other.safetensors: not in COMMITTED"):
        committed.check_file(run, "checkpoints/model_other.safetensors")


def test_a_record_of_another_version(run):
    record = json.loads((run / "COMMITTED").read_text())
    (run / "COMMITTED").write_text(json.dumps({**record, "format": 9}))
    assert "has format 9, this version reads 1" in committed.problems(run)[0]
