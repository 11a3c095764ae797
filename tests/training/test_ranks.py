"""Several processes on one run: the same as one process at the same global batch, and every picture scored once.

The network has no batch normalisation: its statistics are of a process's share, and so are others by design.
"""

import json
import shutil
import socket
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from finegrained_crl.cli.main import main
from finegrained_crl.training import checkpoint
from finegrained_crl.training.loop import Loop

NETWORK = "--backbone test_convnext --weights none --image-size 32 --epochs 1 --lr 0.01 --workers 0 --device cpu"


@pytest.fixture(scope="module")
def flags(tiny_folder, tmp_path_factory):
    """Flags of a run on 24 pictures, that is scored on 337."""
    folder = tmp_path_factory.mktemp("ranks") / "pictures"
    shutil.copytree(tiny_folder, folder)
    (left, *_) = sorted((folder / "test" / "left").iterdir())
    for i in range(337 - 12):
        (folder / "test" / "left" / f"again{i}.png").symlink_to(left)
    return ["finetune", "--data", str(folder), *NETWORK.split()]


@pytest.fixture
def ranks(start_fgcrl):
    """Starts a command in so many processes, as torchrun would."""

    def start(count, *words):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1"}
        shared |= {"MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
        return [start_fgcrl(*words, **shared, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(count)]

    return start


@pytest.fixture(scope="module")
def alone(flags, tmp_path_factory):
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert main([*flags, "--batch-size", "12", "--out", str(folder)]) == 0
    torch.set_num_threads(threads)
    return folder


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_same_as_one_process_to_rounding(count, flags, ranks, alone, tmp_path):
    run = tmp_path / "run"
    commands = ranks(count, *flags, "--batch-size", str(12 // count), "--out", run)
    assert [command.end() for command in commands] == [0] * count, commands[0].log.read_text()
    results = json.loads((run / "results.json").read_text())
    assert (results["processes"], results["metrics"]["last"]["test"]["num_images"]) == (count, 337)
    one, several = (pd.read_parquet(folder / "predictions.parquet") for folder in (alone, run))
    assert several["id"].is_unique
    assert several["id"].tolist() == one["id"].tolist()
    weights, shared = (load_file(folder / "checkpoints" / "model_last.safetensors") for folder in (alone, run))
    assert all(torch.allclose(weights[name], shared[name], rtol=1e-4, atol=1e-5) for name in weights)
    logits = [np.stack(frame["logits"].to_list()) for frame in (one, several)]
    np.testing.assert_allclose(*logits, rtol=1e-4, atol=1e-4)


def wait_for(path, command):
    deadline = time.monotonic() + 120
    while not path.is_file():
        assert command.process.poll() is None, command.log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_rank_ends_the_job_in_one_line(flags, ranks, tmp_path):
    run = tmp_path / "run"
    words = [*flags, "--epochs", "40", "--batch-size", "4", "--checkpoint-seconds", "0", "--out", run]
    first, second = ranks(2, *words)
    wait_for(run / "checkpoints" / "last.pt", first)
    second.process.kill()
    assert (first.end(), second.end()) == (1, -9)
    said = first.log.read_text()
    assert said.count("another process of this run has ended") == 1
    assert "Traceback" not in said
    saved = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
    assert saved["processes"] == 2


def test_an_update_of_two_processes_is_two_of_one(flags, tmp_path, stop_after_saves):
    run = tmp_path / "run"
    words = [*flags, "--batch-size", "4", "--checkpoint-seconds", "0", "--out", str(run)]
    stop_after_saves(1)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        main(words)
    path = run / "checkpoints" / "last.pt"
    state = checkpoint.load(path)
    assert (state["progress"]["update"], state["processes"]) == (1, 1)
    checkpoint.save(path, {**{k: v for k, v in state.items() if k != "format"}, "processes": 2})
    seen = []
    update = Loop.update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "update", lambda loop, group: seen.append(loop.progress.update) or update(loop, group))
        stop_after_saves(1000)
        assert main([*words, "--resume"]) == 0
    assert seen == [2, 3, 4, 5]
