"""A store of decoded pictures: the pixels that were put in, nothing stale, nothing half."""

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.data import picture_store
from finegrained_crl.data.picture_store import open_store, store_key
from finegrained_crl.errors import FinegrainedError

SHAPES = [(5, 7), (3, 3), (8, 2)]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEGRAINED_CRL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def pictures(tmp_path):
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in SHAPES]
    paths = [tmp_path / f"{i}.png" for i in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        Image.fromarray(array).save(path)
    return paths, arrays


def inverted(image):
    return 255 - image


def refuse(image):
    raise AssertionError("decoded again")


def test_holds_each_prepared_picture(cache, pictures):
    paths, arrays = pictures
    store = open_store("key", paths, inverted, convert=False)
    assert [store.picture(i).tolist() for i in range(3)] == [(255 - array).tolist() for array in arrays]
    assert sorted(path.name for path in cache.iterdir()) == ["key.npz", "key.pixels"]


def test_is_made_once(cache, pictures):
    paths, arrays = pictures
    open_store("key", paths, inverted, convert=False)
    store = open_store("key", paths, refuse, convert=False)
    assert np.array_equal(store.picture(2), 255 - arrays[2])


@pytest.mark.parametrize("damage", ["a changed byte", "a lost end", "no index", "a broken index"])
def test_a_damaged_store_is_made_again(damage, cache, pictures):
    paths, arrays = pictures
    open_store("key", paths, inverted, convert=False)
    pixels, index = cache / "key.pixels", cache / "key.npz"
    content = pixels.read_bytes()
    if damage == "a changed byte":
        pixels.write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    elif damage == "a lost end":
        pixels.write_bytes(content[:-3])
    elif damage == "no index":
        index.unlink()
    else:
        index.write_bytes(index.read_bytes()[:50])
    store = open_store("key", paths, inverted, convert=False)
    assert all(np.array_equal(store.picture(i), 255 - array) for i, array in enumerate(arrays))


def test_an_unreadable_picture_leaves_nothing_behind(cache, pictures):
    paths, _ = pictures
    paths[1].write_bytes(paths[1].read_bytes()[:40])
    with pytest.raises(FinegrainedError, match=str(paths[1])):
        open_store("key", paths, inverted, convert=False)
    assert list(cache.iterdir()) == []


def test_no_room_is_one_line_with_the_ways_out(cache, pictures, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture_store.os, "replace", full)
    with pytest.raises(FinegrainedError, match=r"No space left.*FINEGRAINED_CRL_CACHE.*--data-in files"):
        open_store("key", pictures[0], inverted, convert=False)
    assert list(cache.iterdir()) == []


def test_the_name_tells_contents_order_and_preparation_apart():
    keys = [
        store_key(["a", "b"], "squash 32", convert=False),
        store_key(["b", "a"], "squash 32", convert=False),
        store_key(["a"], "squash 32", convert=False),
        store_key(["a", "b"], "crop 32", convert=False),
        store_key(["a", "b"], "squash 32", convert=True),
    ]
    assert len(set(keys)) == len(keys)
    assert store_key(["a", "b"], "squash 32", convert=False) == keys[0]
