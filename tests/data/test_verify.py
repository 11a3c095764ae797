import contextlib
import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from finegrained_crl.data import verify as verifying
from finegrained_crl.data.picture_files import PixelBudget
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.data.source import DataSource
from finegrained_crl.data.verify import verify
from finegrained_crl_datasets.adience import Adience
from finegrained_crl_datasets.cub200 import Cub200


@dataclass(frozen=True)
class Six:
    """Six images in a folder, three of each class; the last of a class is the test part."""

    summary: ClassVar[str] = "six images"
    where: ClassVar[str] = "draw them again"
    expected: int = 6

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        columns = {
            "path": [f"{i}.png" for i in range(6)],
            "label": [0, 0, 0, 1, 1, 1],
            "split": ["train", "train", "test"] * 2,
        }
        return make_records(columns, class_names=("a", "b"), root=data, protocol="six", dropped={"too dark": 2})

    def known_counts(self, data: Path) -> dict[str, int]:
        return {"images": self.expected, "classes": 2, "train": 4, "test": 2} if self.expected else {}


@pytest.fixture
def six(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_a_sound_data_set(six: Path) -> None:
    source: DataSource = Six()
    seen: list[tuple[int, int]] = []
    report = verify(source, "six", six, progress=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.per_split == {"train": 4, "test": 2}
    assert report.per_class == {"a": 3, "b": 3}
    assert report.advice == ["2 rows left out: too dark"]
    assert seen[-1] == (6, 6)
    assert json.loads(json.dumps(report.as_dict()))["ok"] is True


def test_every_kind_of_damage_is_found(six: Path) -> None:
    (six / "0.png").unlink()
    (six / "1.png").write_bytes(b"")
    (six / "2.png").write_bytes((six / "3.png").read_bytes()[:90])
    Image.new("RGBA", (4, 4)).save(six / "4.png")
    report = verify(Six(), "six", six)
    assert not report.ok
    found = {state: paths for state, paths in report.files.items() if paths}
    assert found == {"missing": ["0.png"], "zero-byte": ["1.png"], "unreadable": ["2.png"], "mode": ["4.png"]}
    assert "alpha" in report.reasons["4.png"]
    assert any("1 mode (first: 4.png)" in line and "--convert-images" in line for line in report.advice)
    assert verify(Six(), "six", six, convert=True).files["mode"] == []


def test_copies_within_across_parts_and_across_labels(six: Path) -> None:
    shutil.copy(six / "0.png", six / "1.png")
    report = verify(Six(), "six", six)
    assert report.duplicates == [["0.png", "1.png"]]
    assert report.ok
    shutil.copy(six / "0.png", six / "5.png")
    assert verify(Six(), "six", six).ok, "a published set is what it is"
    report = verify(Six(expected=0), "six", six)
    assert not report.ok
    assert report.conflicts["one picture with two labels"] == [["0.png", "1.png", "5.png"]]
    assert report.conflicts["same picture in two parts"] == [["0.png", "1.png", "5.png"]]


def test_counts_that_differ_say_where_to_get_the_data(six: Path) -> None:
    report = verify(Six(expected=7), "six", six, labels_only=True)
    assert not report.ok
    assert report.advice[0] == "images: 6 found, 7 known"
    assert "draw them again" in report.advice[1]


@pytest.mark.realdata
def test_real_labels(shared_data: Path) -> None:
    assert verify(Cub200(), "cub200", shared_data / "cub_200_2011_meta", labels_only=True).ok
    report = verify(Adience(), "adience", shared_data / "adience_protocol", labels_only=True)
    assert report.ok
    assert report.repeated_rows == 103
    assert len(report.label_table) == 31


@pytest.mark.timeout(60)
def test_pipes_devices_and_huge_pictures_end_at_once(six: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("0.png", "1.png", "2.png"):
        (six / name).unlink()
    os.mkfifo(six / "0.png")
    (six / "1.png").symlink_to("/dev/zero")
    Image.new("L", (30, 20)).save(six / "2.png")
    monkeypatch.setenv("FINEGRAINED_CRL_MAX_PIXELS", "599")
    report = verify(Six(), "six", six)
    assert {state: paths for state, paths in report.files.items() if paths} == {
        "irregular": ["0.png", "1.png"],
        "too large": ["2.png"],
    }
    assert "0.0 megapixels, more than the limit of 0.0" in report.reasons["2.png"]
    assert any(
        "1 too large (first: 2.png): make these pictures smaller, or raise the limit" in line for line in report.advice
    )


@pytest.mark.parametrize(("budget", "most"), [(100, 1), (130, 2), (10, 1)])
def test_large_pictures_are_decoded_one_at_a_time(
    six: Path, monkeypatch: pytest.MonkeyPatch, budget: int, most: int
) -> None:
    """64 pixels each: a budget of 100 admits one, one of 130 two; each waits a moment for a second one to come."""
    real, counter, others = verifying.decode, AtOnce(), threading.Barrier(2)

    def slow(path: Path, *, convert: bool) -> None:
        with counter:
            with contextlib.suppress(threading.BrokenBarrierError):
                others.wait(0.1)
            real(path, convert=convert)

    monkeypatch.setattr(verifying, "decode", slow)
    monkeypatch.setattr(verifying, "PixelBudget", lambda: PixelBudget(budget))
    assert verify(Six(), "six", six).ok
    assert counter.most == most


class AtOnce:
    """How many threads are in the body at once, at most."""

    def __init__(self) -> None:
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.now -= 1


def test_what_the_reader_noticed_is_advice(six: Path) -> None:
    @dataclass(frozen=True)
    class Odd(Six):
        def read(self, data: Path, *, labels_only: bool = False) -> Records:
            records = super().read(data)
            return make_records(
                {"path": records.table["path"], "label": records.table["label"]},
                class_names=("Lantern_Shrike ", "LANTERN SHRIKE"),
                root=data,
                protocol="odd",
            )

    report = verify(Odd(expected=0), "odd", six)
    assert report.ok
    assert report.warnings == [
        "classes 'Lantern_Shrike ' and 'LANTERN SHRIKE' look like one class: give them one spelling if they are"
    ]
    assert report.warnings[0] in report.advice


def test_a_link_to_a_file_is_that_file(six: Path) -> None:
    (six / "5.png").unlink()
    (six / "5.png").symlink_to("0.png")
    report = verify(Six(expected=0), "six", six)
    assert report.repeated_rows == 1
    assert not report.ok
    assert report.conflicts["same picture in two parts"] == [["0.png", "5.png"]]


class Repeating(Six):
    """The first picture is listed a second time."""

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        columns = {"path": ["0.png", *(f"{i}.png" for i in range(4))], "label": [0, 0, 0, 1, 1], "split": ["train"] * 5}
        return make_records(columns, class_names=("a", "b"), root=data, protocol="five")


def test_a_row_that_stands_twice_is_no_picture_of_two_names(six: Path) -> None:
    report = verify(Repeating(expected=0), "six", six)
    assert (report.repeated_rows, report.duplicates) == (1, [])
    assert not any("several names" in line for line in report.advice)


def test_garbage_of_every_kind(six: Path) -> None:
    random = np.random.default_rng(1)
    sound = (six / "3.png").read_bytes()
    for trial in range(30):
        for i in (0, 1, 2):
            damaged = bytearray(sound)
            for place in random.integers(0, len(sound), trial + 1):
                damaged[place] = random.integers(256)
            (six / f"{i}.png").write_bytes(bytes(damaged))
        report = verify(Six(), "six", six)
        assert set(report.reasons) <= {"0.png", "1.png", "2.png"}
        assert all("\n" not in reason for reason in report.reasons.values())


def test_two_labels_of_one_picture_within_a_part_are_a_conflict_and_no_leak(six: Path) -> None:
    shutil.copy(six / "0.png", six / "3.png")  # both train, of two classes
    conflicts = verify(Six(), "six", six).conflicts
    assert conflicts == {"one picture with two labels": [["0.png", "3.png"]], "same picture in two parts": []}
    shutil.copy(six / "1.png", six / "2.png")  # train and test of one class
    assert verify(Six(), "six", six).conflicts["one picture with two labels"] == [["0.png", "3.png"]]


def test_reasons_beyond_the_three_most_frequent_are_counted() -> None:
    lines = verifying.left_out({"a": 1, "b": 5, "c": 2, "d": 4, "e": 3})
    assert lines == [*(f"{n} rows left out: {reason}" for n, reason in ((5, "b"), (4, "d"), (3, "e"))),
                     "3 more rows left out for other reasons"]  # fmt: skip


@pytest.mark.parametrize(("split", "fold", "crosses"), [("ab", "00", True), ("aa", "01", True), ("aa", "00", False)])
def test_a_picture_crosses_splits_or_folds(split: str, fold: str, crosses: bool) -> None:
    rows = pd.DataFrame({"split": list(split), "fold": list(map(int, fold))})
    assert verifying._crosses(rows) is crosses
