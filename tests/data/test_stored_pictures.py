"""Files, memory and device give the same batches, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from finegrained_crl.data.loading import EpochOrder, Pictures, batches, eval_loader, keyed_loader, train_loader
from finegrained_crl.data.picture_store import open_store
from finegrained_crl.data.records import make_records
from finegrained_crl.data.stored_pictures import StoredBatches, StoredPictures, make_cutter, picture_paths
from finegrained_crl.data.transforms import EvalTransform, ImageSettings, TrainTransform

CUTS = ImageSettings(16, "squash", 1.0, 1.25, 1.0, 0.5, 0.0, 0.0, 0.0, "ten-crop", pad=3)
POLICIES = {
    "pad, crop, flip": CUTS,
    "short side, crop": replace(CUTS, resize="crop", resize_ratio=1.25, pad=0),
    "squash, rotate": replace(CUTS, rotate=20.0, rotate_border="black"),
    "random resized crop, jitter": replace(CUTS, resize="crop", crop_scale=0.3, color_jitter=0.4, pad=0),
}
ROWS = np.array([1, 2, 4, 5, 6, 7, 9])
DEVICES = {"device": "cpu", "gpu": "cuda"}
GPU = pytest.param("gpu", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    root, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    names = [f"{i}.png" for i in range(10)]
    for i, name in enumerate(names):
        Image.fromarray(random.integers(0, 256, (20 + i, 31 - i, 3), dtype=np.uint8)).save(root / name)
    labels = [i % 3 for i in range(10)]
    return make_records(
        {"path": names, "label": labels, "split": ["train"] * 10},
        class_names=("a", "b", "c"),
        root=root,
        protocol="made",
    )


def made(records, transform, route):
    if route == "files":
        return Pictures(records, transform, convert=False)
    store = open_store(
        f"{transform.prepared} of {records.root.name}", picture_paths(records, ROWS), transform.prepare, convert=False
    )
    device = torch.device(DEVICES[route]) if route in DEVICES else None
    return StoredPictures(records, transform, make_cutter(store, device), ROWS)


def assert_same(one, other):
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        assert left.images.dtype == right.images.dtype == torch.uint8
        assert torch.equal(left.images.cpu(), right.images.cpu())
        assert left.labels.tolist() == right.labels.tolist()
        assert left.labels.dtype == right.labels.dtype
        assert left.rows.tolist() == right.rows.tolist()


@pytest.mark.parametrize("route", ["memory", "device", GPU])
@pytest.mark.parametrize("policy", POLICIES)
def test_training_batches_are_those_of_the_files(policy, route, records):
    epochs = []
    for way in ("files", route):
        pictures = made(records, TrainTransform(POLICIES[policy], seed=4), way)
        order = EpochOrder(ROWS, batch_size=3, seed=4, drop_last=False)
        loader = train_loader(pictures, order, workers=0)
        epochs.append([batch for epoch in range(3) for _ in [order.at(epoch)] for batch in batches(loader)])
    assert_same(*epochs)


@pytest.mark.parametrize("route", ["memory", "device", GPU])
@pytest.mark.parametrize("views", ["single", "flip", "ten-crop"])
@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_evaluation_batches_are_those_of_the_files(resize, views, route, records):
    transform = EvalTransform(replace(CUTS, views=views, resize=resize))
    both = [
        list(batches(eval_loader(made(records, transform, way), ROWS[::-1], batch_size=4, workers=0)))
        for way in ("files", route)
    ]
    assert_same(*both)


@pytest.mark.parametrize("route", ["memory", "device", GPU])
def test_keys_of_several_epochs_in_one_batch(route, records):
    keys = [(0, 1), (2, 1), (1, 9), (0, 9)]
    transform = TrainTransform(CUTS, seed=1)
    both = [
        list(batches(keyed_loader(made(records, transform, way), keys, batch_size=3, workers=0)))
        for way in ("files", route)
    ]
    assert_same(*both)


def test_what_a_method_does_to_each_picture_is_done_to_stored_ones_too(records):
    def per_image(pixels, random):
        return np.stack([pixels, pixels[::-1]]), {"draw": random.random(2)}

    transform = TrainTransform(CUTS, seed=1)
    store = open_store("per image", picture_paths(records, ROWS), transform.prepare, convert=False)
    stored = StoredPictures(records, transform, make_cutter(store), ROWS, per_image=per_image)
    files = Pictures(records, transform, convert=False, per_image=per_image)
    both = [list(batches(keyed_loader(way, [(0, 4), (1, 7)], batch_size=2, workers=0))) for way in (files, stored)]
    assert_same(*both)
    assert torch.equal(both[0][0].extras["draw"], both[1][0].extras["draw"])


def test_only_what_is_more_than_cutting_needs_workers(records):
    kinds = {name: made(records, TrainTransform(policy, 0), "memory").in_batches for name, policy in POLICIES.items()}
    assert list(kinds.values()) == [True, True, False, False]
    loader = made(records, TrainTransform(CUTS, 0), "memory").loader([[(0, 1)]], workers=2)
    assert isinstance(loader, StoredBatches)


@pytest.mark.parametrize("cut", [True, False])
def test_a_picture_that_is_not_in_the_store_is_refused(cut, records):
    pictures = made(records, TrainTransform(CUTS, 0), "memory")
    with pytest.raises(KeyError, match="row 3"):
        pictures.batch([(0, 3)]) if cut else pictures.prepared(3)
