import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from finegrained_crl.data.audit import NEAR_COPY, audit
from finegrained_crl.data.leaks import FILE, LISTED
from finegrained_crl.data.looks import look_at
from finegrained_crl.data.near_duplicates import near_duplicates
from finegrained_crl.errors import FinegrainedError


def picture(path: Path, seed: int, quality: int = 92) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(path, quality=quality)


@pytest.fixture
def table(tmp_path):
    for i in range(8):
        picture(tmp_path / f"{i}.jpg", i)
    return pd.DataFrame(
        {
            "path": [f"{i}.jpg" for i in range(8)],
            "label": list("aabbaabb"),
            "part": ["train"] * 4 + ["test"] * 4,
            "subject": list("stuvwxyz"),
            "album": list("mmnnoopp"),
        }
    )


GROUPINGS = {"subject": "subject", "album": "album"}


def run(table, root):
    return audit(table, "eight", groupings=GROUPINGS, root=root)


def test_a_clean_split(table, tmp_path):
    report = run(table, tmp_path)
    assert report.ok
    assert report.files_read == 8
    assert report.counts == {"subject": 8, "album": 4, LISTED: 8, FILE: 8}


def test_people_and_albums_on_both_sides(table, tmp_path):
    table.loc[5, ["subject", "album"]] = ["s", "m"]
    report = run(table, None)
    assert not report.ok
    assert [(c.kind, c.first, c.second, c.count, c.of) for c in report.crossings] == [
        ("subject", "train", "test", 1, 4),
        ("album", "train", "test", 1, 3),
    ]
    assert str(report.crossings[0]) == "1 of 4 subjects of test are also in train (s)"


def test_a_copy_under_another_name_and_with_another_label(table, tmp_path):
    shutil.copy(tmp_path / "0.jpg", tmp_path / "6.jpg")
    report = run(table, tmp_path)
    assert [(c.kind, c.count, c.examples) for c in report.crossings] == [(FILE, 1, ["6.jpg"])]
    assert report.two_labels[FILE] == [["0.jpg (a)", "6.jpg (b)"]]


def test_a_smaller_and_coarser_copy_is_a_near_duplicate(table, tmp_path):
    with Image.open(tmp_path / "1.jpg") as opened:
        opened.resize((64, 64)).save(tmp_path / "7.jpg", quality=50)
    report = run(table, tmp_path)
    assert [(c.kind, c.count, c.examples) for c in report.crossings] == [(NEAR_COPY, 1, ["1.jpg ~ 7.jpg"])]
    assert report.two_labels[NEAR_COPY] == [["1.jpg (a)", "7.jpg (b)"]]
    assert audit(table, "eight", groupings={}, root=tmp_path, near=-1).ok


def test_within_one_part_a_copy_is_no_leak(table, tmp_path):
    shutil.copy(tmp_path / "0.jpg", tmp_path / "1.jpg")
    assert run(table, tmp_path).ok
    table.loc[1, "label"] = "b"
    report = run(table, tmp_path)
    assert (report.crossings, report.two_labels[FILE]) == ([], [["0.jpg (a)", "1.jpg (b)"]])
    assert not report.ok


def test_files_that_are_not_there_are_named(table, tmp_path):
    (tmp_path / "3.jpg").unlink()
    (tmp_path / "4.jpg").write_bytes(b"no picture")
    report = run(table, tmp_path)
    assert report.missing == ["3.jpg"]
    assert list(report.unreadable) == ["4.jpg"]
    assert "unreadable image" in report.unreadable["4.jpg"]
    assert report.clean
    assert not report.ok, "nothing is known of what could not be looked at"
    assert not run(table.assign(path=[f"no/{i}.jpg" for i in range(8)]), tmp_path).ok


def test_one_part_cannot_be_audited(table):
    with pytest.raises(FinegrainedError, match=r"single part \(train\)"):
        run(table.assign(part="train"), None)


@pytest.mark.realdata
def test_real_faces_are_told_apart_and_their_copies_found(shared_data, tmp_path):
    paths = sorted((shared_data / "utkface_subset" / "images").glob("*.jpg"))[::40]
    looks = {path.name: look_at(path) for path in paths}
    assert near_duplicates(looks, {name: name for name in looks}) == []
    for path in paths:
        with Image.open(path) as opened:
            opened.convert("RGB").resize((100, 100)).save(tmp_path / "copy.jpg", quality=50)
        copies = {"one": looks[path.name], "copy": look_at(tmp_path / "copy.jpg")}
        assert [pair[:2] for pair in near_duplicates(copies, {name: name for name in copies})] == [("one", "copy")]
