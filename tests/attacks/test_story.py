"""A run lives through whatever order of training, kills, changed data and damage: the same bytes, or one line."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from known_set import SIDE, make_known_set

from finegrained_crl.cli.main import main
from finegrained_crl.training import checkpoint

FLAGS = (
    "--dataset table --method knowing --weights none --backbone none --loss ce --resize squash --eval-resize-ratio 1"
    " --resize-ratio 1 --crop-scale 1 --hflip 0 --optimizer momentum --momentum 0 --weight-decay 0 --schedule constant"
    f" --lr 1 --batch-size 7 --workers 0 --device cpu --epochs 2 --checkpoint-seconds 0 --image-size {SIDE}"
).split()
NAMES = ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors")


class PlugError(Exception):
    """The process ended here."""


class Story(RuleBasedStateMachine):
    """One run folder; what is known of it is whether it is finished, and whether data or files are as they were."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="story-"))
        self.known = make_known_set(self.folder, np.random.default_rng(3))
        self.table = self.known.csv.read_bytes()
        self.run = self.folder / "run"
        assert self.train("--out", self.folder / "whole") == 0
        self.is_done = self.is_begun = self.is_changed = self.is_damaged = False

    def teardown(self):
        shutil.rmtree(self.folder)

    def train(self, *words):
        return main(["finetune", *FLAGS, "--data", str(self.known.csv), *map(str, words)])

    @precondition(lambda self: not self.is_done)
    @rule(saves=st.integers(1, 6))
    def killed(self, saves):
        """Train until so many checkpoints are written, then stop at once."""
        real, left = checkpoint.save, [saves]

        def save(path, state, **how):
            real(path, state, **how)
            left[0] -= 1
            if not left[0]:
                raise PlugError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoint, "save", save)
            try:
                code = self.train("--resume", "--out", self.run)
            except PlugError:
                code = None
        self._check(code)

    @rule()
    def trained(self):
        """Train, or go on, to the end."""
        self._check(self.train("--resume", "--out", self.run))

    def _check(self, code):
        """Refused where something is not as it was, and only there."""
        if self.is_begun and (self.is_damaged or self.is_changed):
            assert code == 1
            return
        assert code in (0, None)
        self.is_begun, self.is_done = True, self.is_done or code == 0

    @precondition(lambda self: self.is_begun)
    @rule()
    def begun_again(self):
        """Without --resume a run is never written over."""
        assert self.train("--out", self.run) == 1

    @precondition(lambda self: not self.is_changed and self.is_begun)
    @rule(label=st.sampled_from(["ant", "zebra"]))
    def data_changed(self, label):
        rows = pd.read_csv(self.known.csv)
        rows.loc[rows["label"] == "moth", "label"] = label
        rows.loc[0, "label"] = "moth"
        rows.to_csv(self.known.csv, index=False)
        self.is_changed = True

    @precondition(lambda self: self.is_changed)
    @rule()
    def data_restored(self):
        self.known.csv.write_bytes(self.table)
        self.is_changed = False

    @precondition(lambda self: self.is_begun and not self.is_damaged)
    @rule(share=st.floats(0, 0.999))
    def recipe_damaged(self, share):
        content = bytearray((self.run / "recipe.yaml").read_bytes())
        content[int(share * len(content))] ^= 1
        self.whole_recipe = (self.run / "recipe.yaml").read_bytes()
        (self.run / "recipe.yaml").write_bytes(bytes(content))
        self.is_damaged = True

    @precondition(lambda self: self.is_damaged)
    @rule()
    def recipe_restored(self):
        (self.run / "recipe.yaml").write_bytes(self.whole_recipe)
        self.is_damaged = False

    @precondition(lambda self: self.is_begun and not self.is_done and not self.is_damaged)
    @rule(share=st.floats(0, 0.999))
    def checkpoint_damaged(self, share):
        """The one before is used, and the run ends in the same bytes."""
        last = self.run / "checkpoints" / "last.pt"
        if not last.exists() or not checkpoint.previous(last).exists():
            return
        content = bytearray(last.read_bytes())
        content[int(share * len(content))] ^= 1
        last.write_bytes(bytes(content))
        if not self.is_changed:
            self.trained()

    @precondition(lambda self: self.is_done)
    @rule()
    def verified(self):
        assert main(["verify", str(self.run)]) == (1 if self.is_damaged else 0)

    @invariant()
    def finished_means_equal(self):
        assert self.is_done == (self.run / "COMMITTED").exists()
        for name in NAMES if self.is_done else ():
            assert (self.run / name).read_bytes() == (self.folder / "whole" / name).read_bytes(), name


@pytest.fixture
def _quiet(monkeypatch, capfd):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "third_party" / "knowing")
    os.environ.setdefault("OMP_NUM_THREADS", "1")


HOW = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@pytest.mark.usefixtures("_quiet")
def test_a_few_stories():
    run_state_machine_as_test(Story, settings=settings(max_examples=1, stateful_step_count=6, **HOW))


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
def test_many_stories():
    run_state_machine_as_test(Story, settings=settings(max_examples=30, stateful_step_count=15, **HOW))
