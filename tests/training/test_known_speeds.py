"""What `auto` timed is used again for the same network, machine and versions, and for nothing else."""

import dataclasses

import pytest
import torch

from finegrained_crl.training import known_speeds, session
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.known_speeds import recall, remember
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.timing import Setting, Timing
from finegrained_crl.training.trainee import Trainee
from finegrained_crl_plugins.resnet.method import ResNet

CPU = torch.device("cpu")
AUTO = Recipe(precision="auto", memory_format="auto", image_size=32, batch_size=4, weights="none")
TIMINGS = [
    Timing(Setting("bf16", "channels_last", 2), 0.25, 0.99),
    Timing(Setting("fp32", "contiguous", compile=True), 0.125, 0.5, 40.0),
]


def trainee_of(classes=3):
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", classes, "none", 0.0, 0.0, 32))
    return Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(known_speeds.VARIABLE, str(tmp_path))
    return tmp_path


def test_the_same_network_is_remembered_whatever_its_seed():
    assert recall(trainee_of(), AUTO, CPU) == []
    remember(TIMINGS, trainee_of(), AUTO, CPU)
    assert recall(trainee_of(), AUTO.replace(seed=5, lr=0.5), CPU) == TIMINGS


CHANGES = {
    "batch_size": 8,
    "image_size": 64,
    "precision": "fp32",
    "memory_format": "contiguous",
    "compile": "auto",
    "weights": "pretrained",
    "loss": Component("ce"),
    "method": Component("bcnn"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_setting_is_timed_anew(name):
    remember(TIMINGS, trainee_of(), AUTO, CPU)
    assert recall(trainee_of(), dataclasses.replace(AUTO, **{name: CHANGES[name]}), CPU) == []


def test_another_network_version_machine_or_number_of_threads_is_timed_anew(monkeypatch):
    remember(TIMINGS, trainee_of(), AUTO, CPU)
    assert recall(trainee_of(classes=4), AUTO, CPU) == []
    for name, value in (("versions", lambda: {"torch": "0"}), ("_processor", lambda: "another one")):
        with monkeypatch.context() as other:
            other.setattr(known_speeds, name, value)
            assert recall(trainee_of(), AUTO, CPU) == []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    assert recall(trainee_of(), AUTO, CPU) == []


def test_another_file_of_weights_is_timed_anew(tmp_path):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"one")
    recipe = AUTO.replace(weights=str(file))
    remember(TIMINGS, trainee_of(), recipe, CPU)
    assert recall(trainee_of(), recipe, CPU) == TIMINGS
    file.write_bytes(b"other")
    assert recall(trainee_of(), recipe, CPU) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"timings": 3}', '{"timings": [{"seconds": 1}]}'])
def test_a_damaged_file_is_as_good_as_none(cache, content):
    remember(TIMINGS, trainee_of(), AUTO, CPU)
    (path,) = (cache / "speed").iterdir()
    path.write_text(content)
    assert recall(trainee_of(), AUTO, CPU) == []


def test_where_nothing_can_be_written_it_is_timed_each_time(cache, monkeypatch):
    (cache / "file").write_text("")
    monkeypatch.setenv(known_speeds.VARIABLE, str(cache / "file"))
    remember(TIMINGS, trainee_of(), AUTO, CPU)
    assert recall(trainee_of(), AUTO, CPU) == []


def test_a_run_takes_what_an_earlier_one_timed(tiny_flags, tmp_path, monkeypatch, capsys):
    from finegrained_crl.cli.main import main

    calls = []

    def choose(*_, threads):
        calls.append(threads)
        return [Timing(Setting("fp32", "contiguous"), 0.5), Timing(Setting("fp32", "channels_last"), 1.0)]

    monkeypatch.setattr(session, "choose", choose)
    for number in range(2):
        out = ["--epochs", "1", "--memory-format", "auto", "--out", str(tmp_path / str(number))]
        assert main(["finetune", *tiny_flags, *out]) == 0
    assert calls == [0]
    assert capsys.readouterr().err.count("auto took fp32, contiguous (per step: fp32, contiguous 500 ms") == 2


def test_thread_counts_that_were_not_tried_are_not_known():
    remember(TIMINGS, trainee_of(), AUTO, CPU)
    assert recall(trainee_of(), AUTO, CPU, "auto") == []
    remember(TIMINGS, trainee_of(), AUTO, CPU, "auto")
    assert recall(trainee_of(), AUTO, CPU, "auto") == TIMINGS
