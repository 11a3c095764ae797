"""A study lives through any order of kills, changed data, damaged cells and reports: the same bytes, or one line."""

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
from studies_here import crossval_here

from finegrained_crl.cli.main import main
from finegrained_crl.training.run_folder import RunFolder

FLAGS = (
    "--dataset table --method knowing --weights none --backbone none --losses ce crl --resize squash"
    " --eval-resize-ratio 1 --resize-ratio 1 --crop-scale 1 --hflip 0 --optimizer momentum --momentum 0"
    " --weight-decay 0 --schedule constant --lr 1 --batch-size 64 --epochs 1 --val-fraction 0 --seeds 0 --jobs 1"
    f" --device cpu --image-size {SIDE}"
).split()
CELLS = 4
"""Two losses, two folds."""


class PlugError(Exception):
    """The machine ended here."""


class Story(RuleBasedStateMachine):
    """One study folder; what is known of it is which cells are finished, and whether data or files are as they were."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="study-story-"))
        known = make_known_set(self.folder, np.random.default_rng(3))
        self.csv = known.csv.parent / "folds.csv"
        self.table = self.csv.read_bytes()
        self.study = self.folder / "study"
        assert self.crossval(self.folder / "whole") == 0
        self.is_changed, self.damaged = False, None

    def teardown(self):
        shutil.rmtree(self.folder)

    def crossval(self, out):
        return crossval_here(*FLAGS, "--data", self.csv, "--out", out)

    @property
    def done(self):
        return sorted(self.study.glob("cells/*/COMMITTED"))

    @rule(cells=st.integers(1, CELLS))
    def killed(self, cells):
        """Everything ends while so many cells are being finished."""
        real, left = RunFolder.commit, [cells]

        def commit(run):
            left[0] -= 1
            if not left[0]:
                raise PlugError
            real(run)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunFolder, "commit", commit)
            try:
                code = self.crossval(self.study)
            except PlugError:
                code = None
        self._check(code)

    @rule()
    def continued(self):
        """Run to the end."""
        self._check(self.crossval(self.study))

    def _check(self, code):
        begun = any(self.study.glob("cells/*/data.parquet"))
        if self.is_changed and begun:
            assert code == 1
        else:
            assert code in (0, None)

    @precondition(lambda self: not self.is_changed and self.done)
    @rule()
    def data_changed(self):
        rows = pd.read_csv(self.csv)
        rows.loc[0, "label"] = "moth" if rows.loc[0, "label"] != "moth" else "owl"
        rows.to_csv(self.csv, index=False)
        self.is_changed = True

    @precondition(lambda self: self.is_changed)
    @rule()
    def data_restored(self):
        self.csv.write_bytes(self.table)
        self.is_changed = False

    @precondition(lambda self: self.damaged is None and self.done)
    @rule(
        cell=st.integers(0, CELLS - 1),
        name=st.sampled_from(["results.json", "predictions.parquet"]),
        at=st.floats(0, 0.99),
    )
    def cell_damaged(self, cell, name, at):
        path = self.done[cell % len(self.done)].parent / name
        content = bytearray(path.read_bytes())
        content[int(at * len(content))] ^= 1
        self.damaged = (path, path.read_bytes())
        path.write_bytes(bytes(content))

    @precondition(lambda self: self.damaged)
    @rule()
    def cell_restored(self):
        path, content = self.damaged
        path.write_bytes(content)
        self.damaged = None

    @precondition(lambda self: (self.study / "study.yaml").exists())
    @rule()
    def reported(self):
        """A report of what is finished, changed data or not; never of a damaged cell."""
        code = main(["report", str(self.study), "--out", str(self.folder / "report"), "--max-images", "0"])
        assert code == (0 if self.done and not self.damaged else 1)
        if code == 0:
            cells = pd.read_csv(self.folder / "report" / "tables" / "cells.csv")
            assert len(cells) == len(self.done)

    @precondition(lambda self: self.done)
    @rule()
    def verified(self):
        assert main(["verify", str(self.study)]) == (1 if self.damaged else 0)

    @invariant()
    def finished_means_equal(self):
        for committed in self.done:
            for name in ("results.json", "predictions.parquet"):
                path = committed.parent / name
                if self.damaged is None or path != self.damaged[0]:
                    whole = self.folder / "whole" / "cells" / committed.parent.name / name
                    assert path.read_bytes() == whole.read_bytes(), path


@pytest.fixture
def _quiet(monkeypatch, capfd):
    from finegrained_crl.reports.page import context

    monkeypatch.setattr(context, "_charts", lambda *everything: {})  # what takes time and is tested elsewhere
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "third_party" / "knowing")
    os.environ.setdefault("OMP_NUM_THREADS", "1")


HOW = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@pytest.mark.usefixtures("_quiet", "no_charts")
def test_a_few_stories():
    run_state_machine_as_test(Story, settings=settings(max_examples=1, stateful_step_count=5, **HOW))


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet")
def test_many_stories():
    run_state_machine_as_test(Story, settings=settings(max_examples=8, stateful_step_count=12, **HOW))
