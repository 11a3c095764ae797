from pathlib import Path

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.image_folder import ImageFolder


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_train_and_test(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.jpg", "train/a/deep/er/2.PNG", "train/b/1.jpg", "test/a/9.jpg", "test/b/9.webp")
    touch(tmp_path, "train/a/.hidden.jpg", "train/a/notes.txt", "train/.git/x.jpg", "train/readme.md")
    records = ImageFolder().read(tmp_path)
    assert records.class_names == ("a", "b")
    assert sorted(records.table["path"]) == ["test/a/9.jpg", "test/b/9.webp", "train/a/1.jpg", "train/a/deep/er/2.PNG", "train/b/1.jpg"]
    assert records.dropped == {"not an image file (.txt)": 1}


def test_val_alone_is_the_test_part(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg", "val/b/2.jpg")
    records = ImageFolder().read(tmp_path)
    assert records.table["split"].value_counts().to_dict() == {"train": 2, "test": 2}
    assert "val/ is the test part" in records.protocol


def test_val_beside_test_stays_val(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{part}/{c}/1.jpg" for part in ("train", "validation", "test") for c in "ab"])
    records = ImageFolder().read(tmp_path)
    assert records.table["split"].value_counts().to_dict() == {"train": 2, "val": 2, "test": 2}


def test_seeded_split(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{c}/{i}.jpg" for c in "abc" for i in range(10)])
    records = ImageFolder(test_fraction=0.3, split_seed=5).read(tmp_path)
    assert records.table.query("split == 'test'")["label"].value_counts().to_dict() == {0: 3, 1: 3, 2: 3}
    assert ImageFolder(test_fraction=0.3, split_seed=5).read(tmp_path).fingerprint() == records.fingerprint()
    assert ImageFolder(test_fraction=0.3, split_seed=6).read(tmp_path).fingerprint() != records.fingerprint()
    assert "seed 5" in records.protocol


@pytest.mark.parametrize(
    ("files", "empty", "message"),
    [
        (["train/a/1.jpg", "test/a/1.jpg", "test/b/1.jpg"], "train/b", r"class folder .*train/b has no image"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/c/1.jpg"], "x", r"only in train/: b; only in test/: c"),
        (["train/a/1.jpg", "train/b/1.jpg"], "train/.x", r"has train/ but no test/, val/"),
        (["test/a/1.jpg", "test/b/1.jpg"], ".x", r"has test/ but no train/"),
        (["a/1.jpg", "b/1.jpg", "b/2.jpg"], ".x", r"class 'a' has a single image"),
        (["a/1.jpg", "a/2.jpg"], ".x", r"has 1 class folder\(s\), at least 2"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, files: list[str], empty: str, message: str) -> None:
    touch(tmp_path, *files)
    (tmp_path / empty).mkdir(parents=True)
    with pytest.raises(FinegrainedError, match=message):
        ImageFolder().read(tmp_path)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(FinegrainedError, match="nope: no such folder"):
        ImageFolder().read(tmp_path / "nope")
