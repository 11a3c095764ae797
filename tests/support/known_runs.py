"""Runs of the method that knows (tests/third_party/knowing), on pictures that are known (known_set.py)."""

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
    """Makes the method `knowing` known, here and in processes that are started from here; its module."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "third_party" / "knowing")
    import knowing as module

    return module


_TEXT = """
--dataset table --method knowing --weights none --backbone none --loss ce --resize squash --eval-resize-ratio 1
--resize-ratio 1 --crop-scale 1 --hflip 0 --optimizer momentum --momentum 0 --weight-decay 0 --schedule constant
--lr 1 --batch-size 14 --workers 0
"""
FLAGS = _TEXT.split()


def known_flags(data, *words):
    """`fgcrl finetune` flags for a run of one epoch on a known set, without --out."""
    return [*FLAGS, "--data", str(data.csv), "--image-size", str(SIDE), "--epochs", "1", *map(str, words)]


@pytest.fixture
def train(known, knowing, tmp_path):
    """Runs `fgcrl finetune` on the known set; (folder, results.json)."""

    def run(*words, data=known, out="run"):
        folder = tmp_path / out
        assert main(["finetune", *known_flags(data, *words), "--out", str(folder)]) == 0
        assert (folder / "COMMITTED").is_file()
        return folder, json.loads((folder / "results.json").read_text())

    return run


@pytest.fixture
def make_session(known, knowing, tmp_path):
    """Builds the session of a run on the known set, with any flags of `fgcrl finetune`."""
    from finegrained_crl.cli import parsing, settings
    from finegrained_crl.training.run_folder import RunFolder
    from finegrained_crl.training.run_options import RunOptions
    from finegrained_crl.training.session import Session

    def build(*words, data=known, out="run", resume=False, options=None):
        flags = parsing.normalise(known_flags(data, *words))
        parser = settings.recipe_parser(flags, {}, lambda parser: parsing.add_flag(parser, "workers", int, 0, ""))
        recipe, folder = settings.to_recipe(parser.parse(flags)), RunFolder(tmp_path / out)
        session = Session(recipe, folder, options or RunOptions(workers=0), resume=resume)
        folder.claim(recipe.as_dict(), resume=resume)
        folder.write_data(session.data)
        return session

    return build
