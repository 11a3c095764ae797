"""Pickles of arrays give what pickle gives; those that would run anything are refused before they do."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from finegrained_crl.data.plain_pickle import read_plain_pickle
from finegrained_crl.errors import FinegrainedError

PYTHON_2 = (  # what Python 2 writes for {'data': numpy.array([[1, 2], [3, 250]], 'uint8'), 'labels': [7]}
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05U\x01b"
    b"q\x06\x87q\x07Rq\x08(K\x01K\x02K\x02\x86q\tcnumpy\ndtype\nq\nU\x02u1q\x0bK\x00K\x01\x87q\x0cRq\r(K\x03U\x01|NNNJ\xff"
    b"\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x02\x03\xfatbU\x06labelsq\x0e]q\x0fK\x07au."
)


def write(path: Path, value, protocol=2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def test_a_batch_as_python_2_wrote_it(tmp_path):
    (tmp_path / "batch").write_bytes(PYTHON_2)
    batch = read_plain_pickle(tmp_path / "batch")
    assert batch[b"data"].tolist() == [[1, 2], [3, 250]]
    assert batch[b"data"].dtype == np.uint8
    assert batch[b"labels"] == [7]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["u1", "<i4", ">i8"])
def test_arrays_of_every_protocol(tmp_path, protocol, kind):
    values = {"c": np.arange(6).reshape(2, 3).astype(kind), "f": np.asfortranarray(np.arange(6).reshape(2, 3), kind)}
    read = read_plain_pickle(write(tmp_path / "p", values, protocol))
    for name, array in values.items():
        np.testing.assert_array_equal(read[name], array)


def test_plain_values(tmp_path):
    values = {"a": [1, -(2**70), 2.5, None, True, "ö"], "b": (b"\xff", {"c": []})}
    assert read_plain_pickle(write(tmp_path / "p", values, 4)) == {**values, "b": [b"\xff", {"c": []}]}


class Calls:
    def __init__(self, function, *words):
        self.call = (function, words)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_a_program_is_refused_and_nothing_runs(tmp_path, protocol):
    command = f"touch {tmp_path / 'ran'}"
    path = write(tmp_path / "p", {"data": Calls(os.system, command)}, protocol)
    with pytest.raises(FinegrainedError, match=rf"p: refused, the pickle wants {os.system.__module__}\.system; get it"):
        read_plain_pickle(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Calls(eval, "1"), r"builtins\.eval|__builtin__\.eval"),
        (np.array([object()]), "an array of 'O8'|builtins.object|copy_reg"),
        (np.array(["text"]), "an array of 'U4'"),
        (np.array([1.5]), "an array of 'f8'"),
        ({1, 2}, r"__builtin__\.set"),
        (Path("a"), "pathlib"),
    ],
)
def test_anything_but_plain_values_is_refused(tmp_path, value, what):
    with pytest.raises(FinegrainedError, match=f"refused, the pickle wants ({what})"):
        read_plain_pickle(write(tmp_path / "p", value))


@pytest.mark.parametrize("end", [0, 1, 20, 90, len(PYTHON_2) - 1])
def test_a_truncated_one_is_one_line(tmp_path, end):
    (tmp_path / "p").write_bytes(PYTHON_2[:end])
    with pytest.raises(
        FinegrainedError, match=r"p is no pickle that can be read|p: refused, the pickle wants nump\.;"
    ) as caught:
        read_plain_pickle(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_every_byte_changed_is_read_or_one_line(tmp_path):
    for place in range(len(PYTHON_2)):
        damaged = bytearray(PYTHON_2)
        damaged[place] ^= 0x55
        (tmp_path / "p").write_bytes(damaged)
        assert "\n" not in outcome(tmp_path / "p")


def outcome(path):
    try:
        read_plain_pickle(path)
    except FinegrainedError as error:
        return str(error)
    return "read"


def test_a_large_memo_index_takes_no_memory(tmp_path):
    (tmp_path / "p").write_bytes(b"\x80\x02]r\xff\xff\xff\x7f.")
    assert read_plain_pickle(tmp_path / "p") == []


def test_a_list_of_lists_of_one_list_is_not_unfolded(tmp_path):
    value: list = []
    for _ in range(60):
        value = [value, value]
    read = read_plain_pickle(write(tmp_path / "p", value))
    assert read[0] is read[1]
