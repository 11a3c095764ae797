"""CIFAR-10 in its three forms; what is damaged or missing is named; the commands work on pictures in arrays."""

import io
import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_pictures import FILES, make_cifar10, planes, write_batch

from finegrained_crl.cli.main import main
from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cifar10 import CLASSES, Cifar10

LABELS = np.arange(10)
PIXELS: dict[str, np.ndarray] = {}
"""Of the miniature, the same in all tests."""


@pytest.fixture
def python_version(tmp_path):
    root = tmp_path / "cifar" / "cifar-10-batches-py"
    PIXELS.update(make_cifar10(root))
    return root


@pytest.fixture
def binary_version(tmp_path, python_version):
    root = tmp_path / "cifar-10-batches-bin"
    root.mkdir()
    for name in FILES:
        rows = np.hstack([LABELS[:, None].astype(np.uint8), planes(PIXELS[name])])
        (root / f"{name}.bin").write_bytes(rows.tobytes())
    return root


def assert_pictures(records, suffix=""):
    assert records.table["split"].value_counts().to_dict() == {"train": 50, "test": 10}
    assert records.class_names == CLASSES
    for row in (0, 13, 59):
        name, index = FILES[row // 10], row % 10
        assert records.table["path"][row] == f"{name}{suffix}#{index}"
        assert records.table["label"][row] == index
        shown = read_image(records.root / records.table["path"][row])
        np.testing.assert_array_equal(shown, PIXELS[name][index])


def test_python_and_binary_version_and_torchvisions_folder(python_version, binary_version):
    assert_pictures(Cifar10().read(python_version))
    assert_pictures(Cifar10().read(python_version.parent))
    assert_pictures(Cifar10().read(binary_version), ".bin")
    assert Cifar10().read(python_version).protocol == "CIFAR-10, official train/test split"
    assert Cifar10().known_counts(python_version) == {"images": 60000, "classes": 10, "train": 50000, "test": 10000}


@pytest.mark.parametrize(("kind", "note"), [("JPEG", " (JPEG copy)"), ("PNG", "")])
def test_a_parquet_says_when_its_pictures_are_copies(tmp_path, python_version, kind, note):
    rows = [("train" if i < 10 else "test", i % 10, encoded(PIXELS["test_batch"][i % 10], kind)) for i in range(20)]
    pd.DataFrame(rows, columns=["split", "label", "image"]).to_parquet(tmp_path / "c.parquet")
    for data in (tmp_path, tmp_path / "c.parquet"):
        records = Cifar10().read(data)
        assert records.protocol == f"CIFAR-10{note}, official train/test split"
        assert records.table["path"][11] == "c.parquet#11"
        assert records.table["split"][11] == "test"


def encoded(pixels, kind):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_a_missing_batch_is_named(python_version):
    (python_version / "data_batch_3").unlink()
    with pytest.raises(FinegrainedError, match=r"missing file .*data_batch_3\. Download the Python"):
        Cifar10().read(python_version)


def test_nothing_there(tmp_path):
    with pytest.raises(FinegrainedError, match=r"none of its files is there\. Download the Python"):
        Cifar10().read(tmp_path)
    with pytest.raises(FinegrainedError, match=r"nowhere: no such folder\. Download"):
        Cifar10().read(tmp_path / "nowhere")


def test_a_label_beyond_the_classes(python_version):
    write_batch(python_version / "data_batch_2", PIXELS["data_batch_2"], [0, 1, 2, 3, 4, 5, 6, 7, 8, 10])
    with pytest.raises(FinegrainedError, match=r"label beyond the 10 classes \(0\.\.9\): 10 \(data_batch_2#9\)"):
        Cifar10().read(python_version)


def test_labels_that_are_no_numbers(python_version):
    write_batch(python_version / "test_batch", PIXELS["test_batch"], ["cat"] * 10)
    with pytest.raises(FinegrainedError, match=r"test_batch: 'labels' must hold one whole number a picture"):
        Cifar10().read(python_version)


class Runs:
    def __reduce__(self):
        return os.system, ("touch ran-by-the-pickle",)


def test_a_batch_that_is_a_program_is_one_line_of_the_command(python_version, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (python_version / "data_batch_4").write_bytes(pickle.dumps({b"data": Runs()}, protocol=2))
    assert main(["data", "verify", "cifar10", "--data", str(python_version)]) == 1
    error = capsys.readouterr().err
    assert "data_batch_4: refused, the pickle wants posix.system" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "ran-by-the-pickle").exists()


def test_counts_that_are_not_the_published_ones(python_version, capsys):
    assert main(["data", "verify", "cifar10", "--data", str(python_version), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {check["name"]: check["found"] for check in report["counts"]}["train"] == 50
    assert not any(report["files"].values())


def test_an_audit_finds_a_test_picture_among_the_training_ones(python_version, capsys):
    copied = PIXELS["test_batch"].copy()
    copied[7] = PIXELS["data_batch_1"][2]
    write_batch(python_version / "test_batch", copied)
    main(["data", "audit", "cifar10", "--data", str(python_version), "--near", "-1", "--json"])
    assert "test_batch#7" in capsys.readouterr().out


def test_a_run_its_fingerprint_and_its_predictions(python_version, tmp_path, capsys):
    flags = "--backbone janocha_convnet --weights none --image-size 32 --eval-resize-ratio 1 --epochs 1 --batch-size 10"
    run = tmp_path / "run"
    flags += " --workers 0 --missing skip"
    words = ["finetune", "--dataset", "cifar10", "--data", str(python_version), *flags.split()]
    assert main([*words, "--out", str(run)]) == 0, capsys.readouterr().err
    stored = pd.read_parquet(run / "data.parquet").set_index("path")
    assert stored["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert stored["sha256"].nunique() == 60
    own = pd.read_parquet(run / "predictions.parquet").set_index("path")
    assert main(["predict", str(run), f"{python_version / 'test_batch'}#", "--out", str(tmp_path / "p.csv")]) == 0
    predicted = pd.read_csv(tmp_path / "p.csv")
    assert predicted["label"].tolist() == [int(own["logits"][f"test_batch#{i}"].argmax()) for i in range(10)]
    picture = f"{python_version / 'test_batch'}#3"
    assert main(["explain", str(run), picture, "--out", str(tmp_path / "x"), "--json"]) == 0
    assert "cat" in capsys.readouterr().out


@pytest.mark.realdata
def test_the_jpeg_copy(shared_data):
    records = Cifar10().read(shared_data / "cifar10_jpeg")
    counts = records.table["split"].value_counts().to_dict()
    assert counts == {"train": 50000, "test": 10000}
    assert records.table["label"].value_counts().unique().tolist() == [6000]
    assert records.protocol == "CIFAR-10 (JPEG copy), official train/test split"
    assert read_image(records.root / records.table["path"][59999]).shape == (32, 32, 3)
