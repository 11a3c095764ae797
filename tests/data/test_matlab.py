""".mat files: the child gives what SciPy gives; damaged ones are one line."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from finegrained_crl.data import matlab
from finegrained_crl.data.matlab import read_mat
from finegrained_crl.errors import FinegrainedError


@pytest.fixture
def annotations(tmp_path):
    rows = np.array([(1, "a.jpg"), (2, "b.jpg")], dtype=[("class", "O"), ("fname", "O")])
    savemat(
        tmp_path / "a.mat", {"annotations": rows, "class_names": np.array(["Audi A", "BMW Ö"], dtype=object), "one": 3}
    )
    return tmp_path / "a.mat"


def test_variables(annotations):
    assert read_mat(annotations) == {
        "annotations": {"class": [1, 2], "fname": ["a.jpg", "b.jpg"]},
        "class_names": ["Audi A", "BMW Ö"],
        "one": [3],
    }


@pytest.mark.realdata
def test_the_real_devkit_is_what_scipy_reads(shared_data):
    path = next((shared_data / "stanford_cars_meta").rglob("cars_train_annos.mat"))
    rows = loadmat(path, squeeze_me=True)["annotations"]
    fields = read_mat(path)["annotations"]
    assert fields.keys() == set(rows.dtype.names)
    assert all(fields[name] == rows[name].tolist() for name in fields)


@pytest.mark.parametrize("content", [b"", b"no MATLAB", b"MATLAB 5.0" + bytes(118) + b"\x00\x01IM" + b"\xff" * 200])
def test_garbage(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(
        FinegrainedError, match=r"a\.mat is not a MATLAB file that can be read \(.+\); download it again"
    ) as caught:
        read_mat(tmp_path / "a.mat")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", ["import os; os.kill(os.getpid(), 11)", "import sys; sys.exit(1)"])
def test_a_reader_that_crashes(annotations, monkeypatch, tmp_path, body):
    (tmp_path / "child.py").write_text(body)
    monkeypatch.setattr(matlab.matlab_child, "__file__", str(tmp_path / "child.py"))
    with pytest.raises(FinegrainedError, match="its reader crashed"):
        read_mat(annotations)


def test_a_reader_that_does_not_end(annotations, monkeypatch, tmp_path):
    (tmp_path / "child.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr(matlab.matlab_child, "__file__", str(tmp_path / "child.py"))
    monkeypatch.setattr(matlab, "SECONDS", 0.2)
    with pytest.raises(FinegrainedError, match=r"can't be read within 0\.2 s"):
        read_mat(annotations)


def test_the_child_has_a_limit_on_its_memory(annotations, monkeypatch, tmp_path):
    """With one of 100 MiB it can't even import SciPy."""
    text = Path(matlab.matlab_child.__file__).read_text()
    (tmp_path / "child.py").write_text(text.replace("4 << 30", "100 << 20"))
    monkeypatch.setattr(matlab.matlab_child, "__file__", str(tmp_path / "child.py"))
    with pytest.raises(FinegrainedError, match="not a MATLAB file that can be read"):
        read_mat(annotations)


def test_memory_is_bounded(annotations, tmp_path, monkeypatch):
    """A matrix that claims eight gigabytes."""
    import struct

    name = b"x".ljust(8, b"\0")
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    shape = struct.pack("<IIii", 5, 8, 1 << 15, 1 << 15)
    body = flags + shape + struct.pack("<HH4s", 1, 1, name[:4]) + struct.pack("<II", 9, 8 << 28)
    (tmp_path / "big.mat").write_bytes(header + struct.pack("<II", 14, len(body)) + body)
    with pytest.raises(FinegrainedError, match="not a MATLAB file that can be read"):
        read_mat(tmp_path / "big.mat")
