"""The known set and the method that knows, for runs of a fraction of a second; the harnesses of this folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from known_set import SIDE, make_known_set

HERE = Path(__file__).parent
FLAGS = (
    "--dataset table --method knowing --weights none --backbone none --loss ce --resize squash --eval-resize-ratio 1"
    " --resize-ratio 1 --crop-scale 1 --hflip 0 --optimizer momentum --momentum 0 --weight-decay 0 --schedule constant"
    f" --lr 1 --batch-size 7 --workers 0 --device cpu --epochs 2 --checkpoint-seconds 0 --image-size {SIDE}"
).split()


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A known set of its own for each test; its flags."""
    monkeypatch.syspath_prepend(HERE.parent / "third_party" / "knowing")
    (tmp_path / "known").mkdir()
    return make_known_set(tmp_path / "known", np.random.default_rng(3))


@pytest.fixture
def flags(known):
    """Flags of `fgcrl finetune` for a run of two epochs of two updates on the known set, a checkpoint after each."""
    return [*FLAGS, "--data", str(known.csv)]


def harness(name):
    """The program of this folder with that name, as a module."""
    spec = importlib.util.spec_from_file_location(f"attacks_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fuzz():
    """tests/attacks/fuzz.py."""
    return harness("fuzz")


@pytest.fixture
def kills():
    """tests/attacks/kills.py."""
    return harness("kills")
