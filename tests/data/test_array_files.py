"""Files of many pictures: each picture is the array that was put in; damaged files are one line."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from finegrained_crl.data import array_files
from finegrained_crl.data.array_files import open_array_file
from finegrained_crl.errors import FinegrainedError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
PLANES = PIXELS.transpose(0, 3, 1, 2).reshape(3, -1)
LABELS = [4, 0, 9]


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def pickled(path, **changes):
    path.write_bytes(pickle.dumps({b"data": PLANES, b"labels": LABELS, b"batch_label": b"x", **changes}, protocol=2))


def binary(path):
    path.write_bytes(np.hstack([np.array(LABELS, dtype=np.uint8)[:, None], PLANES]).tobytes())


def mat(path):
    savemat(path, {"X": PIXELS.transpose(1, 2, 3, 0), "y": np.array(LABELS)[:, None]}, do_compression=True)


def parquet(path):
    pd.DataFrame({"image": [encoded(p) for p in PIXELS], "labels": LABELS}).to_parquet(path)


def hugging_face(path):
    images = [{"bytes": encoded(p), "path": None} for p in PIXELS]
    pd.DataFrame({"img": images, "labels": LABELS}).to_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("b", pickled), ("b.bin", binary), ("b.mat", mat), ("b.parquet", parquet), ("h.parquet", hugging_face)],
)
def test_pictures_and_labels_are_those_put_in(tmp_path, name, write):
    write(tmp_path / name)
    content = open_array_file(tmp_path / name)
    assert content.size == 3
    assert content.columns["labels"] == LABELS
    for index in range(3):
        shown = Image.open(io.BytesIO(content.pictures(index)))
        np.testing.assert_array_equal(np.asarray(shown), PIXELS[index])


def test_pictures_of_a_mat_file_may_be_wider_than_high(tmp_path):
    wide = np.random.default_rng(1).integers(0, 256, (2, 4, 7, 3), dtype=np.uint8)
    savemat(tmp_path / "a.mat", {"X": wide.transpose(1, 2, 3, 0), "y": np.array([[1], [2]])})
    with Image.open(io.BytesIO(open_array_file(tmp_path / "a.mat").pictures(1))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), wide[1])


def test_two_labels_a_record_in_cifar_100s_binary_files(tmp_path):
    both = np.array([[1, 70], [2, 80], [3, 90]], dtype=np.uint8)
    (tmp_path / "train.bin").write_bytes(np.hstack([both, PLANES]).tobytes())
    content = open_array_file(tmp_path / "train.bin")
    assert content.columns == {"coarse_labels": [1, 2, 3], "fine_labels": [70, 80, 90]}
    assert Image.open(io.BytesIO(content.pictures(2))).tobytes() == PIXELS[2].tobytes()


def test_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    reads = []
    original = array_files._from_pickle
    monkeypatch.setattr(array_files, "_from_pickle", lambda path: reads.append(path) or original(path))
    pickled(tmp_path / "b")
    open_array_file(tmp_path / "b")
    open_array_file(tmp_path / "b")
    assert len(reads) == 1
    pickled(tmp_path / "b", labels_are_gone=b"a longer file")
    open_array_file(tmp_path / "b")
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("b", pickle.dumps([1]), r"b: no batch of pictures \(a list\)"),
        ("b", pickle.dumps({b"labels": [1]}, 2), "b: no 'data' of 3072 bytes a picture"),
        ("b", pickle.dumps({b"data": PLANES[:, :9], b"labels": LABELS}, 2), "b: no 'data' of 3072 bytes a picture"),
        ("b", pickle.dumps({b"data": PLANES, b"labels": [1]}, 2), "b: 3 pictures and 1 'labels'"),
        ("b.bin", b"", r"b\.bin: 0 bytes, not a whole number of records of 3073"),
        ("b.bin", bytes(3074), r"b\.bin: 3,074 bytes, not a whole number of records of 3073"),
        ("train.bin", bytes(3073), r"train\.bin: 3,073 bytes, not a whole number of records of 3074"),
        ("b.mat", b"no MATLAB", r"b\.mat is not a MATLAB file"),
        ("b.parquet", b"PAR1 no", r"b\.parquet cannot be read as a \.parquet table"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FinegrainedError, match=problem) as caught:
        open_array_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_mat_file_of_other_things(tmp_path):
    savemat(tmp_path / "a.mat", {"X": np.zeros((2, 2)), "y": [[1]]})
    with pytest.raises(FinegrainedError, match=r"a\.mat: no pictures 'X' \(height, width, 3, n\) with labels 'y'"):
        open_array_file(tmp_path / "a.mat")


def test_a_table_without_pictures(tmp_path):
    pd.DataFrame({"path": ["a.jpg"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FinegrainedError, match=r"a\.parquet: no column of image files"):
        open_array_file(tmp_path / "a.parquet")
