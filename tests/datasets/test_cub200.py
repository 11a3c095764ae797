from pathlib import Path

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cub200 import Cub200


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    root = tmp_path / "CUB_200_2011"
    (root / "images").mkdir(parents=True)
    files = {
        "images": "1 001.Red_Bird/a.jpg\n2 001.Red_Bird/b.jpg\n3 002.Blue_Bird/c.jpg\n4 002.Blue_Bird/d.jpg\n",
        "image_class_labels": "1 1\n2 1\n3 2\n4 2\n",
        "train_test_split": "1 1\n2 0\n3 1\n4 0\n",
        "classes": "1 001.Red_Bird\n2 002.Blue_Bird\n",
        "bounding_boxes": "1 1.0 2.0 3.0 4.0\n2 1 2 3 4\n3 1 2 3 4\n4 1 2 3 4\n",
    }
    for name, text in files.items():
        (root / f"{name}.txt").write_text(text)
    return root


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_reads_the_folder_and_its_parent_alike(cub: Path) -> None:
    inner, outer = Cub200().read(cub), Cub200().read(cub.parent)
    assert inner.fingerprint() == outer.fingerprint()
    assert inner.root == outer.root == cub
    assert inner.class_names == ("Red Bird", "Blue Bird")
    table = inner.table
    assert table["path"].tolist()[0] == "images/001.Red_Bird/a.jpg"
    assert table["label"].tolist() == [0, 0, 1, 1]
    assert table["split"].tolist() == ["train", "test", "train", "test"]
    assert table[["bbox_x", "bbox_y", "bbox_width", "bbox_height"]].iloc[0].tolist() == [1, 2, 3, 4]
    assert "official" in inner.protocol


def test_boxes_are_optional(cub: Path) -> None:
    (cub / "bounding_boxes.txt").unlink()
    assert "bbox_x" not in Cub200().read(cub).table


def test_no_image_is_needed_for_labels_only(cub: Path) -> None:
    (cub / "images").rmdir()
    assert len(Cub200().read(cub, labels_only=True)) == 4
    with pytest.raises(FinegrainedError, match="images: no such folder"):
        Cub200().read(cub)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "image_class_labels.txt",
            "4 2",
            "4 3",
            r"image_class_labels\.txt: image 4 has class 3, classes\.txt knows 1\.\.2",
        ),
        ("image_class_labels.txt", "4 2\n", "", r"no row for image 4"),
        ("train_test_split.txt", "4 0", "5 0", r"no row for image 4 \(2 such\)"),
        ("train_test_split.txt", "4 0", "4 2", r"image 4 has '2', expected 1 \(train\) or 0"),
        ("images.txt", "2 001.Red_Bird/b.jpg", "1 001.Red_Bird/b.jpg", r"images\.txt, line 2: number 1 is there twice"),
        ("images.txt", "3 002", "x 002", r"images\.txt, line 3: expected a number and 1 more field"),
        ("images.txt", "002.Blue_Bird/c.jpg", "../../secret.jpg", r"path escapes the image root.*secret"),
        ("classes.txt", "2 002", "3 002", r"without a gap"),
        ("bounding_boxes.txt", "4 1 2 3 4", "4 1 2 3 wide", r"bounding_boxes\.txt: expected 'image x y width height'"),
    ],
)
def test_broken_files_are_named(cub: Path, file: str, old: str, new: str, message: str) -> None:
    rewrite(cub / file, old, new)
    with pytest.raises(FinegrainedError, match=message):
        Cub200().read(cub)


def test_missing_folder_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FinegrainedError, match=r"no such folder.*CUB_200_2011"):
        Cub200().read(tmp_path / "nowhere")
    with pytest.raises(FinegrainedError, match=r"no images\.txt in"):
        Cub200().read(tmp_path)


@pytest.mark.realdata
def test_real_labels(shared_data: Path) -> None:
    data = shared_data / "cub_200_2011_meta"
    records = Cub200().read(data, labels_only=True)
    counts = records.table["split"].value_counts().to_dict()
    assert {"images": len(records), "classes": records.num_classes, **counts} == Cub200().known_counts(data)
    assert records.class_names[0] == "Black footed Albatross"
    assert len(set(records.class_names)) == 200
