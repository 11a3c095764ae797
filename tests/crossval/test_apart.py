"""Cells on a node that does not see the study: what they find there, and what comes home."""

import dataclasses
from pathlib import Path

import pytest
from stub_cells import Instant, study_of

from finegrained_crl.crossval.apart import run_apart, study_on_node, write_home
from finegrained_crl.crossval.leases import LeaseFiles, Leases
from finegrained_crl.crossval.one_cell import Order
from finegrained_crl.crossval.worker import Heart, Worker
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed


class Training(Instant):
    """A cell that has ended when its start returns, and left weights beside its results."""

    def start(self, words, *, log, **how):
        cell = super().start(words, log=log, **how)
        if self.code == 0:
            run = log.parents[1] / "cells" / log.stem
            (run / "checkpoints").mkdir()
            (run / "checkpoints" / "model_last.safetensors").write_bytes(b"weights")
            committed.commit(run)
        return cell


@pytest.fixture
def order(tmp_path):
    folder, _ = study_of(tmp_path / "study", 1)
    return Order(folder.folder, "ce_s0", 7, ("--device", "cpu"), threads=3, scratch=str(tmp_path / "node"))


@pytest.fixture
def leases():
    """Of a process of the node."""

    def make(order, recipe="a: 1"):
        here = study_on_node(order, recipe)
        heart = Heart(LeaseFiles(here).workers, Worker("w"))
        heart.beat()
        return Leases(here, heart)

    return make


def delivered(order, leases, starter, bring="results", recipe="a: 1"):
    return run_apart(order, recipe, bring, leases(order, recipe), starter, {})


@pytest.mark.parametrize(("bring", "names"), [
    ("results", ["COMMITTED", "results.json"]),
    ("weights", ["COMMITTED", "checkpoints/model_last.safetensors", "results.json"]),
])  # fmt: skip
def test_what_is_asked_for_comes_home_and_is_whole(order, leases, tmp_path, bring, names):
    delivery = delivered(order, leases, Training(log="epoch 1\n"), bring)
    assert sorted(delivery.files) == names
    assert (delivery.end.outcome, delivery.end.threads, delivery.log) == ("committed", 3, b"epoch 1\n")
    assert str(tmp_path / "node") in delivery.kept
    home = order.study / "cells" / "ce_s0"
    (home / "checkpoints").mkdir(parents=True)
    (home / "checkpoints" / "old.pt").write_text("of a cell that began here")
    write_home(delivery, home)
    there = sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    assert there == names
    assert committed.problems(home) == []


def test_the_node_has_the_recipe_and_the_true_study_stays_untouched(order, leases, monkeypatch):
    seen = []
    starter = Training()
    start = starter.start
    monkeypatch.setattr(starter, "start", lambda words, **how: seen.append(words) or start(words, **how))
    before = sorted(order.study.rglob("*"))
    delivered(order, leases, starter, recipe="loss: crl")
    assert sorted(order.study.rglob("*")) == before
    recipe = seen[0][seen[0].index("--recipe") + 1]
    assert Path(recipe).read_text() == "loss: crl"


def test_a_finished_cell_is_sent_again_and_not_trained_again(order, leases):
    """Its launcher died before it heard of it."""
    starter = Training()
    first, second = (delivered(order, leases, starter).files for _ in range(2))
    assert first == second
    assert starter.started == ["ce_s0"]
    claims = study_on_node(order, "a: 1") / "claims"
    assert sorted(path.name for path in claims.glob("ce_s0.*[0-9]")) == ["ce_s0.1", "ce_s0.2"]
    delivered(order, leases, starter, recipe="a: 2")  # another study was begun in the place of the first
    assert starter.started == ["ce_s0", "ce_s0"]


def test_what_another_process_of_the_node_has_is_left(order, leases):
    leases(order).claim("ce_s0")
    assert delivered(order, leases, Training()) is None


def test_a_failure_brings_its_log(order, leases):
    delivery = delivered(order, leases, Training(1, "fgcrl finetune: error: CUDA out of memory\n"))
    assert (delivery.end.outcome, delivery.end.reason, delivery.files) == ("failed", "CUDA out of memory", {})
    assert b"CUDA out of memory" in delivery.log


def test_what_did_not_arrive_as_it_was_sent_is_not_committed(order, leases):
    delivery = delivered(order, leases, Training())
    spoilt = dataclasses.replace(delivery, files={**delivery.files, "results.json": b"{ }"})
    home = order.study / "cells" / "ce_s0"
    with pytest.raises(
        FinegrainedError,
        match=r"results.json: 3 bytes, \d+ when the run was finished after it was brought from .* is kept",
    ):
        write_home(spoilt, home)
    assert not (home / "COMMITTED").exists()
