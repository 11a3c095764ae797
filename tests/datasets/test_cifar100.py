"""CIFAR-100: fine and coarse labels, both versions."""

import pickle

import numpy as np
import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cifar100 import COARSE, FINE, Cifar100

FINE_LABELS = list(range(100))
COARSE_LABELS = [label // 5 for label in range(100)]  # not the real assignment; every superclass five times
ROWS = np.random.default_rng(0).integers(0, 256, (100, 3072), dtype=np.uint8)


@pytest.fixture
def python_version(tmp_path):
    root = tmp_path / "cifar-100-python"
    root.mkdir()
    batch = {b"data": ROWS, b"fine_labels": FINE_LABELS, b"coarse_labels": COARSE_LABELS}
    for name in ("train", "test"):
        (root / name).write_bytes(pickle.dumps(batch, protocol=2))
    return root


@pytest.fixture
def binary_version(tmp_path):
    root = tmp_path / "cifar-100-binary"
    root.mkdir()
    labels = np.array([COARSE_LABELS, FINE_LABELS], dtype=np.uint8).T
    for name in ("train.bin", "test.bin"):
        (root / name).write_bytes(np.hstack([labels, ROWS]).tobytes())
    return root


@pytest.mark.parametrize("version", ["python_version", "binary_version"])
def test_fine_and_coarse_labels(version, request):
    root = request.getfixturevalue(version)
    fine, coarse = Cifar100().read(root), Cifar100(labels="coarse").read(root.parent)
    assert (fine.class_names, coarse.class_names) == (FINE, COARSE)
    assert fine.table["label"].tolist() == FINE_LABELS * 2
    assert coarse.table["label"].tolist() == COARSE_LABELS * 2
    assert fine.table["superclass"][7] == "fish"
    assert fine.protocol == "CIFAR-100, official train/test split, fine labels"
    assert coarse.protocol == "CIFAR-100, official train/test split, coarse labels"
    assert Cifar100(labels="coarse").known_counts(root)["classes"] == 20


def test_names_are_those_of_the_official_list():
    assert (len(FINE), len(COARSE)) == (100, 20)
    assert [FINE[i] for i in (0, 1, 47, 51, 99)] == ["apple", "aquarium_fish", "maple_tree", "mushroom", "worm"]
    assert [COARSE[i] for i in (0, 9, 14, 19)] == [
        "aquatic_mammals", "large_man-made_outdoor_things", "people", "vehicles_2",
    ]  # fmt: skip


def test_a_batch_of_cifar_10_has_no_fine_labels(python_version):
    (python_version / "test").write_bytes(pickle.dumps({b"data": ROWS, b"labels": FINE_LABELS}, protocol=2))
    with pytest.raises(FinegrainedError, match=r"test: no fine_labels or fine_label in it; is it the right file\?"):
        Cifar100().read(python_version)


def test_a_missing_part(binary_version):
    (binary_version / "test.bin").unlink()
    with pytest.raises(FinegrainedError, match=r"missing file .*test\.bin\. Download"):
        Cifar100().read(binary_version)
