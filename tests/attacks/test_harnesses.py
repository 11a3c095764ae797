"""The fuzzer and the harness of kills in small, and that they notice what they are for."""

import os
import random
import shutil
import signal

import pytest

from finegrained_crl.data import images
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import checkpoint, committed

SMALL = {
    "pictures": 80,
    "tables": 40,
    "layouts": 40,
    "recipes": 4,
    "finished runs": 30,
    "unfinished runs": 30,
    "weights": 20,
}


@pytest.fixture
def corpus(fuzz, known, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    fuzz.make_corpus(folder, with_study=False)
    return folder


def test_malformed_inputs_end_in_a_result_or_one_line(fuzz, corpus):
    for kind, number in SMALL.items():
        refused = 0
        for seed in range(number):
            reason = ""
            try:
                fuzz.KINDS[kind].look(corpus, random.Random(f"{kind} {seed}"))
            except FinegrainedError as error:
                reason = str(error).strip()
            refused += bool(reason)
            assert "\n" not in reason, (kind, seed)
        assert refused > number / 5, kind  # else the inputs are not malformed


def test_the_fuzzer_notices(fuzz, corpus, monkeypatch):
    def crash(*_, **__):
        raise IndexError("list index out of range")

    monkeypatch.setattr(images, "read_image", crash)
    assert "traceback" in fuzz.run_batch(corpus, "pictures", range(30))[0][1]
    monkeypatch.setattr(images, "read_image", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    assert "crash" in fuzz.run_batch(corpus, "pictures", range(2))[0][1]
    monkeypatch.setattr(committed, "check_file", lambda *_: None)
    assert any("silent" in problem for _, problem in fuzz.run_batch(corpus, "finished runs", range(40)))
    monkeypatch.setattr(checkpoint, "_trailer", lambda _: checkpoint.MAGIC + b"0" * 64)
    monkeypatch.setattr(committed, "check_seal", lambda *_: None)
    assert any("silent" in problem for _, problem in fuzz.run_batch(corpus, "unfinished runs", range(60)))


def test_an_interrupted_run_ends_equal(kills, tmp_path, capsys):
    assert kills.Kills(tmp_path, seed=3, only="resnet, validated").run(1) == 0
    assert "not equal or stuck" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("only", ["bcnn, cached stage", "study", "resnet, pictures in memory"])
def test_cached_stages_and_studies_end_equal(only, kills, tmp_path):
    assert kills.Kills(tmp_path, seed=1, only=only).run(4) == 0


def test_the_kills_notice_another_byte(kills, tmp_path):
    for name in ("whole", "run"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        for file in ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors"):
            (tmp_path / name / file).write_bytes(b"content")
    assert kills.differences(tmp_path / "whole", tmp_path / "run") == []
    (tmp_path / "run" / "results.json").write_bytes(b"contend")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert kills.differences(tmp_path / "whole", tmp_path / "run") == [
        "checkpoints/model_last.safetensors differs",
        "results.json differs",
    ]
