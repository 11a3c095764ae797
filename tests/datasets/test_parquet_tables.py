"""Parquet tables that hold their pictures: tables like any other, in one file or in shards, as Hugging Face writes."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.table import Table

NAMES = ["wren", "robin", "owl"]
READER = Table(path_column="image", class_name_column="label_name")


def picture(number):
    """A noisy picture whose brightness is its class, number modulo three."""
    noise = np.random.default_rng(number).integers(0, 60, (32, 32, 3), dtype=np.uint8)
    return noise + np.uint8(60 * (number % 3))


def encoded(number):
    file = io.BytesIO()
    Image.fromarray(picture(number)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": f"{number}.png"}


def write(path, numbers, names=NAMES, **columns):
    """A table of some pictures, with a note of the class names as Hugging Face's `datasets` leaves it."""
    note = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}}}
    content = {"image": [encoded(number) for number in numbers], "label": [number % 3 for number in numbers], **columns}
    table = pa.table(content).replace_schema_metadata({b"huggingface": json.dumps(note).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=4)


@pytest.fixture
def shards(tmp_path):
    root = tmp_path / "birds"
    write(root / "data" / "train-00000-of-00002.parquet", range(12))
    write(root / "data" / "train-00001-of-00002.parquet", range(12, 18))
    write(root / "data" / "validation-00000-of-00001.parquet", range(30, 36))
    return root


def test_shards_are_one_table(shards):
    records = READER.read(shards)
    assert records.class_names == ("wren", "robin", "owl")
    assert records.protocol == "birds, 3 Parquet tables, split by their names, val is the test part"
    table = records.table
    assert table["split"].tolist() == ["train"] * 18 + ["test"] * 6
    assert table["label"].tolist() == [number % 3 for number in (*range(18), *range(30, 36))]
    for row, number in ((0, 0), (11, 11), (12, 12), (23, 35)):
        np.testing.assert_array_equal(read_image(records.root / table["path"][row]), picture(number))


def test_a_third_part_leaves_val_alone(shards):
    write(shards / "data" / "test.parquet", range(40, 43))
    records = READER.read(shards)
    assert records.table["split"].value_counts().to_dict() == {"train": 18, "val": 6, "test": 3}
    assert records.protocol == "birds, 4 Parquet tables, split by their names"


def test_one_file_with_people_and_ages(tmp_path):
    """Whatever else a table may say goes with pictures inside it too."""
    write(tmp_path / "faces.parquet", range(20), age=[20 + number for number in range(20)], subject=["a", "b"] * 10)
    reader = Table(path_column="image", label_column="age", target="age", age_range="0,60", num_folds=2)
    records = reader.read(tmp_path / "faces.parquet")
    assert records.table["age"].tolist() == [20 + number for number in range(20)]
    assert records.table.groupby("subject")["fold"].nunique().tolist() == [1, 1]
    np.testing.assert_array_equal(read_image(records.root / records.table["path"][7]), picture(7))


def test_what_a_table_says_of_its_parts_comes_before_its_name(shards):
    write(shards / "data" / "train-00002.parquet", range(3), split=["train", "test", "val"])
    assert READER.read(shards).table["split"].tolist()[18:21] == ["train", "test", "test"]


def test_shards_with_other_columns_are_refused(shards):
    write(shards / "data" / "train-00002.parquet", range(3), sex=["f", "m", "f"])
    with pytest.raises(FinegrainedError, match=r"train-00002.parquet: its columns .* are not those of the first table"):
        READER.read(shards)


def test_without_the_note_numbers_are_the_names(tmp_path):
    table = pa.table({"image": [encoded(number) for number in range(30)], "label": [0, 1, 2] * 10})
    pq.write_table(table.replace_schema_metadata({b"huggingface": b"[1"}), tmp_path / "t.parquet")
    assert Table(path_column="image").read(tmp_path / "t.parquet").class_names == ("0", "1", "2")


def test_the_column_of_pictures_is_proposed(shards):
    with pytest.raises(
        FinegrainedError, match=r"no column 'path'; name the right one with --dataset.path-column.*image"
    ):
        Table().read(shards)


def test_training_from_a_table_is_training_from_files(shards, tmp_path):
    rows = []
    for part, numbers in (("train", range(18)), ("test", range(30, 36))):
        for number in numbers:
            Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
            rows.append({"path": f"{number}.png", "label": NAMES[number % 3], "split": part})
    pd.DataFrame(rows).assign(number=[NAMES.index(row["label"]) for row in rows]).to_csv(
        tmp_path / "t.csv", index=False
    )
    shared = (
        "--dataset table --backbone test_resnet --weights none --image-size 32 --batch-size 6 --epochs 1 --workers 1"
    )
    files = f"--data {tmp_path}/t.csv --dataset.label-column number --dataset.class-name-column label"
    inside = f"--data {shards} --dataset.path-column image --dataset.class-name-column label_name"
    for name, words in (("files", files), ("inside", inside)):
        assert main(["finetune", *shared.split(), *words.split(), "--out", str(tmp_path / name)]) == 0
    figures = [
        json.loads((tmp_path / name / "results.json").read_text())["metrics"]["last"]["test"]
        for name in ("files", "inside")
    ]
    assert figures[0] == figures[1]
