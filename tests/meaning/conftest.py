"""A run of the method that knows, on pictures that are known (tests/support/known_set.py)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from known_set import SIDE, make_known_set

from finegrained_crl.cli.main import main


@pytest.fixture(scope="session")
def known(tmp_path_factory):
    return make_known_set(tmp_path_factory.mktemp("known"), np.random.default_rng(3))


@pytest.fixture
def knowing(monkeypatch):
    """Makes the method `knowing` known, here and in processes that are started from here."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "third_party" / "knowing")


FLAGS = [
    "--dataset",
    "table",
    "--method",
    "knowing",
    "--weights",
    "none",
    "--backbone",
    "none",
    "--loss",
    "ce",
    "--resize",
    "squash",
    "--eval-resize-ratio",
    "1",
    "--resize-ratio",
    "1",
    "--crop-scale",
    "1",
    "--hflip",
    "0",
    "--optimizer",
    "momentum",
    "--momentum",
    "0",
    "--weight-decay",
    "0",
    "--schedule",
    "constant",
    "--lr",
    "1",
    "--batch-size",
    "14",
    "--workers",
    "0",
]


@pytest.fixture
def train(known, knowing, tmp_path):
    """Runs `fgcrl finetune` on the known set; (folder, results.json)."""

    def run(*words, data=known, out="run"):
        folder = tmp_path / out
        flags = [*FLAGS, "--data", str(data.csv), "--image-size", str(SIDE), "--epochs", "1", "--out", str(folder)]
        assert main(["finetune", *flags, *map(str, words)]) == 0
        return folder, json.loads((folder / "results.json").read_text())

    return run
