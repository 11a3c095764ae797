"""Which rows an epoch shows, in which order, on how many processes; and that one bad picture is one line."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from finegrained_crl.data import loading
from finegrained_crl.data.records import make_records
from finegrained_crl.data.transforms import EvalTransform, ImageSettings, TrainTransform
from finegrained_crl.errors import FinegrainedError

SETTINGS = ImageSettings(16, "squash", 1.0, 1.0, 1.0, 0, 0, 0, 0, "flip")


def rows_of(order):
    return [row for batch in order for _, row in batch]


@given(st.integers(1, 60), st.integers(1, 16), st.integers(0, 3), st.integers(0, 5))
def test_an_epoch_shows_each_row_at_most_once_and_drops_less_than_a_batch(count, batch, seed, epoch):
    order = loading.EpochOrder(np.arange(count), batch, seed).at(epoch)
    seen = rows_of(order)
    assert len(seen) == len(set(seen))
    assert count - len(seen) < batch
    assert seen == rows_of(loading.EpochOrder(np.arange(count), batch, seed).at(epoch))


@given(st.integers(8, 60), st.integers(1, 4), st.integers(0, 3))
def test_starting_in_the_middle_shows_the_rest(count, batch, start):
    whole = list(loading.EpochOrder(np.arange(count), batch, 1).at(2))
    assert list(loading.EpochOrder(np.arange(count), batch, 1).at(2, min(start, len(whole)))) == whole[start:]


@given(st.integers(16, 80), st.integers(1, 4), st.integers(2, 4))
def test_processes_share_each_global_batch(count, batch, world):
    parts = [rows_of(loading.EpochOrder(np.arange(count), batch, 0, rank=r, world=world)) for r in range(world)]
    alone = rows_of(loading.EpochOrder(np.arange(count), batch * world, 0))
    assert sorted(row for part in parts for row in part) == sorted(alone)


@given(st.integers(1, 60), st.integers(1, 16), st.integers(1, 4), st.integers(0, 3))
def test_with_the_last_batch_every_row_is_shown_and_no_process_waits(count, batch, world, seed):
    orders = [
        loading.EpochOrder(np.arange(count), batch, seed, rank=r, world=world, drop_last=False) for r in range(world)
    ]
    parts = [list(order) for order in orders]
    assert {len(part) for part in parts} == {len(orders[0])}
    if count >= world:  # each process has as many pictures of a batch as the others
        assert all(len({len(part[i]) for part in parts}) == 1 for i in range(len(orders[0])))
        assert count - sum(len(b) for part in parts for b in part) < world
    dropping = loading.EpochOrder(np.arange(count), batch, seed, world=world)
    assert parts[0][: len(dropping)] == list(dropping) or count < batch * world


@given(st.integers(4, 20), st.integers(1, 4), st.integers(0, 9))
def test_each_row_comes_with_its_epoch(count, batch, epoch):
    """The epoch seeds the augmentation."""
    keys = [key for drawn in loading.EpochOrder(np.arange(count), batch, 1).at(epoch) for key in drawn]
    assert {number for number, _ in keys} == {epoch}


def test_epochs_and_seeds_differ():
    order = loading.EpochOrder(np.arange(50), 10, 0)
    assert rows_of(order.at(0)) != rows_of(order.at(1))
    assert rows_of(order.at(0)) != rows_of(loading.EpochOrder(np.arange(50), 10, 1))


def test_balanced_sampling_evens_the_classes_out():
    labels = np.repeat([0, 1], [900, 100])
    order = loading.EpochOrder(np.arange(1000), 100, 0, loading.balanced_weights(labels))
    share = np.mean([labels[row] for row in rows_of(order)])
    assert 0.45 < share < 0.55


@pytest.fixture
def records(tmp_path):
    for i in range(5):
        Image.fromarray(np.full((20, 30, 3), 10 * i, np.uint8)).save(tmp_path / f"{i}.png")
    columns = {"path": [f"{i}.png" for i in range(5)], "label": [0, 1, 0, 1, 0]}
    return make_records(columns, class_names=("a", "b"), root=tmp_path, protocol="test")


@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_is_loaded_once_in_order(records, workers):
    pictures = loading.Pictures(records, EvalTransform(SETTINGS), convert=False)
    found = list(loading.batches(loading.eval_loader(pictures, np.arange(5), batch_size=2, workers=workers)))
    assert torch.cat([b.rows for b in found]).tolist() == [0, 1, 2, 3, 4]
    assert torch.cat([b.labels for b in found]).tolist() == [0, 1, 0, 1, 0]
    images = torch.cat([b.images for b in found])
    assert images.shape == (5, 2, 16, 16, 3)
    assert images[:, 0, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_its_own_error_not_a_traceback(records, workers):
    Path(records.root, "3.png").write_bytes(b"not a picture")
    pictures = loading.Pictures(records, EvalTransform(SETTINGS), convert=False)
    with pytest.raises(FinegrainedError, match=r"3\.png") as caught:
        list(loading.batches(loading.eval_loader(pictures, np.arange(5), batch_size=5, workers=workers)))
    assert "\n" not in str(caught.value)


def test_what_the_method_does_to_a_picture_differs_by_seed_epoch_and_row(records):
    drawn = {}
    for seed in (0, 1):
        draw = lambda pixels, random: (pixels, {"drawn": random.integers(1 << 40)})  # noqa: E731
        pictures = loading.Pictures(records, TrainTransform(SETTINGS, seed), convert=False, per_image=draw)
        drawn |= {(seed, epoch, row): pictures[epoch, row][3]["drawn"] for epoch in (0, 1) for row in (0, 1)}
        assert pictures[1, 0][3]["drawn"] == drawn[seed, 1, 0]
    assert len(set(drawn.values())) == 8


def test_training_decodes_small_where_asked_and_evaluation_never(tmp_path):
    """A JPEG whose decoding at a quarter is told from the whole one by its pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    columns = {"path": ["a.jpg"], "label": [0], "split": ["train"]}
    records = make_records(columns, class_names=("a",), root=tmp_path, protocol="made up")
    whole = ImageSettings(16, "squash", 1.0, 1.0, 1.0, 0, 0, 0, 0, "single")
    small = dataclasses.replace(whole, reduced_decoding=True)

    def pixels(transform):
        return loading.Pictures(records, transform, convert=False).prepared(0)

    assert (pixels(TrainTransform(whole, 0)) != pixels(TrainTransform(small, 0))).any()
    assert (pixels(EvalTransform(whole)) == pixels(EvalTransform(small))).all()


def test_odd_modes_are_converted_where_asked_alone(tmp_path):
    Image.new("RGBA", (20, 20), (200, 0, 0, 128)).save(tmp_path / "a.png")
    columns = {"path": ["a.png"], "label": [0], "split": ["train"]}
    records = make_records(columns, class_names=("a",), root=tmp_path, protocol="made up")
    converted = loading.Pictures(records, EvalTransform(SETTINGS), convert=True).prepared(0)
    assert converted.shape == (16, 16, 3)
    with pytest.raises(FinegrainedError, match="alpha image"):
        loading.Pictures(records, EvalTransform(SETTINGS), convert=False).prepared(0)


@pytest.mark.parametrize(("cores", "on_gpu", "workers"), [(2, False, 1), (12, False, 4), (2, True, 2), (12, True, 8)])
def test_on_a_cpu_the_network_gets_half_of_the_cores(cores, on_gpu, workers, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cores), raising=False)
    assert loading.default_workers(on_gpu) == workers


def test_each_epoch_and_each_row_is_varied_anew(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(noise).save(tmp_path / name)
    columns = {"path": ["a.png", "b.png"], "label": [0, 0], "split": ["train"] * 2}
    records = make_records(columns, class_names=("a",), root=tmp_path, protocol="made up")
    settings = ImageSettings(16, "crop", 2.0, 1.0, 1.0, 0, 0, 0, 0, "single")
    for policy in (settings, dataclasses.replace(settings, rotate=10.0)):
        pictures = loading.Pictures(records, TrainTransform(policy, 0), convert=False)
        first = pictures[(0, 0)][0]
        assert (first == pictures[(0, 0)][0]).all()
        assert all((first != pictures[key][0]).any() for key in ((1, 0), (0, 1)))
