import os
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
    touch(tmp_path, "train/a/.thumbnails/1.jpg", "test/b/deep/.cache/9.jpg")
    records = ImageFolder().read(tmp_path)
    assert records.class_names == ("a", "b")
    assert sorted(records.table["path"]) == [
        "test/a/9.jpg",
        "test/b/9.webp",
        "train/a/1.jpg",
        "train/a/deep/er/2.PNG",
        "train/b/1.jpg",
    ]
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
        (
            ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/c/1.jpg"],
            "x",
            r"only in train/: b; only in test/: c",
        ),
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


def test_pictures_of_a_kind_that_is_not_read_are_told(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{part}/{c}/1.jpg" for part in ("train", "test") for c in "ab"])
    touch(
        tmp_path,
        "train/a/2.jxl",
        "train/a/3.JXL",
        "train/b/4.psd",
        "train/b/5.jfif",
        "train/b/6.avif",
        "train/b/Thumbs.db",
    )
    records = ImageFolder().read(tmp_path)
    assert {"train/b/5.jfif", "train/b/6.avif"} <= set(records.table["path"])
    assert records.dropped == {
        "picture of a kind that isn't read (.jxl)": 2,
        "picture of a kind that isn't read (.psd)": 1,
        "not an image file (.db)": 1,
    }
    assert records.warnings == (
        "3 pictures are left out, their kind isn't read here (2 .jxl, 1 .psd): convert them to JPEG",
    )


def test_a_class_of_nothing_but_such_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jxl", "a/2.jxl", "b/1.jpg")
    with pytest.raises(FinegrainedError, match=r"class folder .*a has no image in it that can be read \(but 2 \.jxl\)"):
        ImageFolder().read(tmp_path)


def test_what_is_no_file_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{part}/{c}/1.jpg" for part in ("train", "test") for c in "ab"], "else/x.jpg")
    os.mkfifo(tmp_path / "train/a/pipe.jpg")
    (tmp_path / "train/a/gone.jpg").symlink_to("nowhere")
    (tmp_path / "train/a/linked").symlink_to(tmp_path / "else")
    records = ImageFolder().read(tmp_path)
    assert records.dropped == {"not a regular file (a pipe, a device, a broken link, a linked folder)": 3}


FAMILIES = [
    f"{family}/{species}/{i}.jpg"
    for family, kinds in (("owls", "xy"), ("hens", "zw"))
    for species in kinds
    for i in range(4)
]


def test_folders_in_folders_are_asked_about(tmp_path: Path) -> None:
    touch(tmp_path, *FAMILIES)
    with pytest.raises(
        FinegrainedError, match=r"images of 'hens' lie in 2 folders below it \(w, z\); .*--dataset\.depth leaf .*top"
    ):
        ImageFolder().read(tmp_path)
    assert ImageFolder(depth="top").read(tmp_path).class_names == ("hens", "owls")
    records = ImageFolder(depth="leaf").read(tmp_path)
    assert records.class_names == ("w", "x", "y", "z")
    assert records.table.set_index("path")["label"]["owls/y/0.jpg"] == 2
    with pytest.raises(FinegrainedError, match=r"depth must be top or leaf, got 'all'"):
        ImageFolder(depth="all").read(tmp_path)  # type: ignore[arg-type]


def test_leaves_of_one_name_keep_the_way_to_them(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *[f"{part}/{way}/1.jpg" for part in ("train", "test") for way in ("owls/brown", "hens/brown", "hens/white")],
    )
    assert ImageFolder(depth="leaf").read(tmp_path).class_names == ("hens/brown", "owls/brown", "white")


def test_links_to_a_file_stay_on_its_side(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{c}/{i}.jpg" for c in "ab" for i in range(10)])
    for c in "ab":
        for i in range(10):
            (tmp_path / c / f"{i}-again.jpg").symlink_to(f"{i}.jpg")
    table = ImageFolder().read(tmp_path).table
    picture = table["path"].str.replace("-again", "")
    assert table.groupby(picture)["split"].nunique().max() == 1
    assert set(table["split"]) == {"train", "test"}


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{c}/{i}.jpg" for c in "ab" for i in range(10)])
    with open(os.fsencode(tmp_path) + b"/a/caf\xe9.jpg", "wb") as file:
        file.write(b"x")
    with pytest.raises(
        FinegrainedError, match=r"1 names are not UTF-8 \(first: a/caf\\udce9\.jpg\): rename the files"
    ) as caught:
        ImageFolder().read(tmp_path)
    str(caught.value).encode()
