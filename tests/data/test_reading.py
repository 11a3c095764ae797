"""Batches of pictures of which some can't be read: nobody is lost, doubled or moved."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.data.reading import Item, Views, read_batches, stream_batches
from finegrained_crl.errors import FinegrainedError

NO_CHILDREN = pytest.mark.skipif(
    multiprocessing.current_process().daemon, reason="a process that tries faults may start none of its own"
)


def first_pixel(image):
    if image.shape == (1, 1, 3):
        raise FinegrainedError("too small")
    return image[None, :1, :1]


@pytest.fixture
def items(tmp_path):
    """Pictures whose first pixel is their place; number 2 is absent, 3 is refused by the transform, 6 is no picture."""
    items = []
    for i in range(8):
        side = 1 if i == 3 else 4
        Image.fromarray(np.full((side, side, 3), i, np.uint8)).save(tmp_path / f"{i}.png")
        items.append(Item(tmp_path / f"{i}.png", f"name {i}", f"label {i}"))
    (tmp_path / "2.png").unlink()
    (tmp_path / "6.png").write_text("no picture")
    return items


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (3, 0), pytest.param(3, 2, marks=NO_CHILDREN), (50, 0)])
def test_each_item_comes_once_as_picture_or_as_error(items, batch_size, workers):
    batches = list(read_batches(Views(items, first_pixel, convert=False), batch_size=batch_size, workers=workers))
    names = [name for batch in batches for name in batch.names]
    labels = [label for batch in batches for label in batch.labels]
    pixels = [int(view) for batch in batches if batch.names for view in batch.images[:, 0, 0, 0, 0]]
    assert pixels == [0, 1, 4, 5, 7]
    assert names == [f"name {i}" for i in pixels]
    assert labels == [f"label {i}" for i in pixels]
    assert [name for batch in batches for name, _ in batch.errors] == ["name 2", "name 3", "name 6"]
    assert sum(len(batch.names) + len(batch.errors) for batch in batches) == 8
    assert len(batches) == -(-8 // batch_size)


def test_a_stream_gives_the_same_batches(items):
    views = Views(items, first_pixel, convert=False)
    listed = list(read_batches(views, batch_size=3, workers=0))
    streamed = list(stream_batches(iter(items), views, batch_size=3))
    assert [batch.names for batch in streamed] == [batch.names for batch in listed]
    assert [batch.errors for batch in streamed] == [batch.errors for batch in listed]
    assert all((a.images == b.images).all() for a, b in zip(streamed, listed, strict=True))


def test_a_stream_gives_a_batch_as_soon_as_it_is_full(items):
    taken = []
    stream = stream_batches(
        (taken.append(i) or item for i, item in enumerate(items)), Views([], first_pixel, convert=False), batch_size=2
    )
    next(stream)
    assert taken == [0, 1]


def test_a_file_of_a_wrong_name_is_an_error_of_its_name():
    (batch,) = read_batches(
        Views([Item(Path("/nowhere.png"), "n")], first_pixel, convert=False), batch_size=2, workers=0
    )
    assert batch.errors[0][0] == "n"
    assert "/nowhere.png: no such image" in batch.errors[0][1]
