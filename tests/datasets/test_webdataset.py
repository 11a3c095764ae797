"""Shards of one's own: labels beside the pictures, parts by the shards' names, training as from files."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.webdataset import WebDataset


def picture(number):
    """A PNG file of one colour, dark for even numbers and light for odd ones."""
    file = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 40, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise + np.uint8(200 * (number % 2))).save(file, "PNG")
    return file.getvalue()


def write_shard(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def samples(numbers, **notes):
    """Members of some samples; `notes` are extension -> text of a number."""
    for number in numbers:
        yield f"{number:04}.png", picture(number)
        for extension, text in notes.items():
            yield f"{number:04}.{extension}", text(number).encode()


@pytest.fixture
def shards(tmp_path):
    root = tmp_path / "shards"
    parts = {"train-000000.tar": range(8), "train-000001.tar": range(8, 12), "val-000000.tar": range(20, 26)}
    for name, numbers in parts.items():
        write_shard(root / name, samples(numbers, cls=lambda number: str(number % 2)))
    return root


def test_pictures_labels_and_parts(shards):
    records = WebDataset().read(shards)
    assert records.table["path"].tolist()[7:10] == [
        "train-000000.tar#7", "train-000001.tar#0", "train-000001.tar#1",
    ]  # fmt: skip
    assert records.table["label"].tolist() == [number % 2 for number in (*range(12), *range(20, 26))]
    assert records.table["split"].tolist() == ["train"] * 12 + ["test"] * 6
    assert records.class_names == ("0", "1")
    assert "val is the test part" in records.protocol
    shown = read_image(shards / "train-000001.tar#1")
    np.testing.assert_array_equal(shown, np.asarray(Image.open(io.BytesIO(picture(9)))))


def test_names_of_classes_and_three_parts(shards):
    write_shard(shards / "test" / "00.tar", samples([30, 31], cls=lambda number: ("wren", "robin")[number % 2]))
    (shards / "classes.txt").write_text("wren\nrobin\n")
    records = WebDataset().read(shards)
    assert records.class_names == ("wren", "robin")
    assert records.table["split"].value_counts().to_dict() == {"train": 12, "val": 6, "test": 2}
    assert records.table["label"].tolist()[:2] == [0, 1]
    assert records.table["label"][records.table["split"] == "test"].tolist() == [0, 1]


def test_labels_and_subjects_from_json(tmp_path):
    def note(number):
        return json.dumps({"bird": f"species {number % 3}", "who": number // 2})

    write_shard(tmp_path / "train.tar", samples(range(9), json=note))
    write_shard(tmp_path / "test.tar", samples(range(10, 13), json=note))
    records = WebDataset(label="json.bird", subject="json.who").read(tmp_path)
    assert records.class_names == ("species 0", "species 1", "species 2")
    train = records.table[records.table["split"] == "train"]
    assert train["label"].tolist() == [number % 3 for number in range(9)]
    assert train["subject"].tolist() == [str(number // 2) for number in range(9)]


def test_what_is_wrong_is_one_line(shards, tmp_path):
    def refused(words, root=shards, **options):
        with pytest.raises(FinegrainedError, match=words):
            WebDataset(**options).read(root)

    refused("has no .txt member", label="txt")
    refused("has no .json member", label="json.bird")
    write_shard(shards / "train-000009.tar", [("1.png", picture(1)), ("1.cls", b"seven")])
    (shards / "classes.txt").write_text("wren\nrobin\n")
    refused("label 'seven' is neither a number nor a name")
    write_shard(shards / "train-000009.tar", [("1.png", picture(1)), ("1.cls", b"7")])
    refused("label beyond the 2 classes")
    write_shard(shards / "train-000009.tar", [("1.png", picture(1)), ("1.json", b"{" * 100_000)])
    refused("has no .cls member")
    write_shard(shards / "birds.tar", [("1.png", picture(1)), ("1.cls", b"0")])
    refused("its name says neither train, val nor test")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused("no .tar file in it", empty)


@pytest.mark.parametrize("number", ["2", "999999999", "9" * 5000])
def test_class_numbers_with_a_gap_are_one_line(shards, number):
    """Where the highest number alone said how many classes there are, one slip would fill the memory."""
    write_shard(shards / "train-000009.tar", [("1.png", picture(1)), ("1.cls", number.encode())])
    if number == "2":
        assert WebDataset().read(shards).class_names == ("0", "1", "2")
        return
    with pytest.raises(FinegrainedError, match=r"class number 9+, and 3 different ones: they must run from 0"):
        WebDataset().read(shards)


def test_leading_zeros_are_no_part_of_a_number(shards):
    write_shard(shards / "train-000009.tar", [("1.png", picture(1)), ("1.cls", b"001")])
    records = WebDataset().read(shards)
    assert records.class_names == ("0", "1")
    assert records.table["label"].iloc[12] == 1


def test_each_shard_is_read_once(shards, monkeypatch):
    opened = []
    whole = tarfile.open

    def counted(*words, **options):
        opened.append(options["fileobj"].name)
        return whole(*words, **options)

    monkeypatch.setattr(tarfile, "open", counted)
    records = WebDataset().read(shards)
    for path in records.table["path"]:
        read_image(shards / path)
    assert len(opened) == 3


def test_a_sample_without_a_picture_is_counted(shards):
    write_shard(shards / "train-000009.tar", [("1.cls", b"0")])
    assert WebDataset().read(shards).dropped == {"no picture under the key": 1}


def test_training_from_shards_is_training_from_files(shards, tmp_path):
    """The same pictures in the same order: as a table of files they give the same weights."""
    lines = ["path,label,split"]
    for place, number in enumerate((*range(12), *range(20, 26))):
        (tmp_path / f"{place}.png").write_bytes(picture(number))
        lines.append(f"{place}.png,{number % 2},{'train' if place < 12 else 'test'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    losses = {}
    for name, data in {"webdataset": shards, "table": tmp_path / "labels.csv"}.items():
        network = ["--backbone", "resnet10t", "--weights", "none", "--image-size", "32", "--device", "cpu"]
        small = [*network, "--epochs", "1", "--workers", "1", "--batch-size", "4", "--out", str(tmp_path / name)]
        assert main(["finetune", "--dataset", name, "--data", str(data), *small]) == 0
        losses[name] = json.loads((tmp_path / name / "results.json").read_text())["metrics"]["last"]["test"]
    assert losses["webdataset"] == losses["table"]
