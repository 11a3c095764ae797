"""SVHN's .mat files: label 10 is the digit 0; extra on demand."""

import numpy as np
import pytest
from scipy.io import savemat

from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.svhn import Svhn

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
LABELS = [10, *range(1, 10)]


def write(path, labels):
    values = {"X": PIXELS.transpose(1, 2, 3, 0), "y": np.array(labels, dtype=np.uint8)[:, None]}
    savemat(path, values, do_compression=True)


@pytest.fixture
def digits(tmp_path):
    for name in ("train", "test"):
        write(tmp_path / f"{name}_32x32.mat", LABELS)
    return tmp_path


def test_ten_is_zero(digits):
    records = Svhn().read(digits)
    assert records.table["label"].tolist() == list(range(10)) * 2
    assert records.table["split"].tolist() == ["train"] * 10 + ["test"] * 10
    assert records.class_names[0] == "0"
    assert records.table["path"][13] == "test_32x32.mat#3"
    np.testing.assert_array_equal(read_image(digits / "test_32x32.mat#3"), PIXELS[3])
    assert Svhn().known_counts(digits) == {"images": 99289, "classes": 10, "train": 73257, "test": 26032}


def test_extra_is_trained_on_when_asked_for(digits):
    with pytest.raises(FinegrainedError, match=r"missing file .*extra_32x32\.mat"):
        Svhn(extra=True).read(digits)
    write(digits / "extra_32x32.mat", LABELS)
    records = Svhn(extra=True).read(digits)
    assert records.table["split"].value_counts().to_dict() == {"train": 20, "test": 10}
    assert "train and extra" in records.protocol
    assert Svhn(extra=True).known_counts(digits)["train"] == 604388
    assert len(Svhn().read(digits)) == 20


@pytest.mark.parametrize("label", [0, 11])
def test_a_label_beyond_the_files_own(digits, label):
    write(digits / "test_32x32.mat", [label, *range(1, 10)])
    with pytest.raises(FinegrainedError, match=rf"test_32x32\.mat#0: label {label}, there are 1\.\.10"):
        Svhn().read(digits)
