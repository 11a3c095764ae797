"""A picture in a file of many is read, hashed, checked, audited and found as one in a file of its own."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finegrained_crl.data.content_hashes import content_hashes
from finegrained_crl.data.identity import same_files
from finegrained_crl.data.images import check_header, read_image
from finegrained_crl.data.picture_source import is_there, item_of, items_in, open_source, source_bytes, source_sha256
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.inputs import find_pictures

PIXELS = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def batch(tmp_path):
    rows = PIXELS.transpose(0, 3, 1, 2).reshape(4, -1)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": rows, b"labels": [0, 1, 2, 3]}, protocol=2))
    return tmp_path / "data_batch_1"


def item(batch: Path, index: int) -> Path:
    return batch.with_name(f"{batch.name}#{index}")


def test_pixels_are_those_of_the_array(batch):
    for index in range(4):
        np.testing.assert_array_equal(read_image(item(batch, index)), PIXELS[index])
        assert check_header(item(batch, index)) is None


def test_a_hash_is_of_the_pictures_own_bytes(batch):
    digests = content_hashes(batch.parent, [item(batch, index).name for index in range(4)])
    assert len(set(digests.values())) == 4
    for index in range(4):
        digest = hashlib.sha256(source_bytes(item(batch, index))).hexdigest()
        assert digests[item(batch, index).name] == source_sha256(item(batch, index)) == digest


def test_pictures_of_one_file_are_different_pictures(batch):
    paths = pd.Series([item(batch, 0).name, item(batch, 1).name, "./" + item(batch, 0).name])
    assert same_files(batch.parent, paths).tolist() == [paths[0], paths[1], paths[0]]


def test_beyond_the_end_and_without_a_file(batch):
    with pytest.raises(FinegrainedError, match=r"data_batch_1#4: no such picture, the file holds 4"):
        open_source(item(batch, 4))
    absent = batch.with_name("data_batch_2#0")
    assert not is_there(absent)
    with pytest.raises(FinegrainedError, match=r"data_batch_2#0: no such image"):
        read_image(absent)


def test_a_file_whose_name_ends_like_an_item_is_itself(tmp_path):
    (tmp_path / "a#1").write_bytes(b"own")
    (tmp_path / "a").write_bytes(b"other")
    assert item_of(tmp_path / "a#1") is None
    assert source_bytes(tmp_path / "a#1") == b"own"
    assert item_of(tmp_path / "a#2") == (tmp_path / "a", 2)
    assert item_of(tmp_path / "a#b") is None


def test_pictures_that_an_argument_means(batch):
    assert find_pictures(str(item(batch, 2))) == [item(batch, 2)]
    assert find_pictures(f"{batch}#") == items_in(batch) == [item(batch, index) for index in range(4)]
    with pytest.raises(FinegrainedError, match="no picture found for"):
        find_pictures(str(batch.parent / "data_batch_9#"))
