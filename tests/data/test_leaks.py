"""Leaks that training looks for: by name, by file and by bytes."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from finegrained_crl.data.fingerprint import fingerprint
from finegrained_crl.data.folds import Partition, cut_validation
from finegrained_crl.data.leaks import FILE, LISTED, cheap_leaks, partition_leaks
from finegrained_crl.data.records import make_records


def test_what_training_looks_at():
    table = {"path": ["a", "b", "a", "c"], "label": [0, 1, 0, 1], "subject": ["s", "t", "u", "t"]}
    records = make_records(table, class_names=("x", "y"), root=Path(), protocol="four")
    rows = [np.array([0, 1]), np.array([], dtype=np.int64), np.array([2, 3])]
    found = partition_leaks(records, Partition(*rows))
    assert [(c.kind, c.count) for c in found] == [("subject", 1), (LISTED, 1)]


@pytest.fixture
def four(tmp_path):
    """Four pictures in two parts: 0 and 1 train, 2 and 3 test."""
    for i in range(4):
        (tmp_path / f"{i}.jpg").write_bytes(bytes([i]))
    return tmp_path


def leaks(root, **columns):
    table = {"path": [f"{i}.jpg" for i in range(4)], "label": [0, 1, 0, 1], **columns}
    records = make_records(table, class_names=("x", "y"), root=root, protocol="four")
    parts = Partition(np.array([0, 1]), np.array([], dtype=np.int64), np.array([2, 3]))
    return [(c.kind, c.count, c.examples) for c in cheap_leaks(records, parts, fingerprint(records))]


@pytest.mark.parametrize("kind", ["subject", "album", "original"])
@pytest.mark.parametrize(("one", "other"), [("Ann", " ann"), ("1", "1.0"), ("Zoe\u0308", "ZO\u00cb")])
def test_spellings_of_one_identity_leak(four, kind, one, other):
    assert leaks(four, **{kind: [one, "b", "c", other]}) == [(kind, 1, [other])]
    assert leaks(four, **{kind: [one, other, "b", "c"]}) == []


def test_no_leak_is_no_word(four):
    assert leaks(four) == []


def test_one_file_under_two_names_leaks(four):
    (four / "2.jpg").unlink()
    (four / "2.jpg").symlink_to("0.jpg")
    (four / "3.jpg").unlink()
    os.link(four / "1.jpg", four / "3.jpg")
    assert leaks(four) == [(LISTED, 2, ["2.jpg", "3.jpg"])]
    assert leaks(four, path=["0.jpg", "1.jpg", "./0.jpg", "x/../1.jpg"])[0][:2] == (LISTED, 1), "x/ isn't there"


def test_equal_bytes_leak(four):
    shutil.copy(four / "0.jpg", four / "3.jpg")
    assert leaks(four) == [(FILE, 1, ["3.jpg"])]


def test_files_that_are_not_there_are_no_copies_of_each_other(tmp_path):
    assert leaks(tmp_path) == []


def test_a_validation_part_that_copies_are_kept_out_of(tmp_path):
    for i in range(40):
        (tmp_path / f"{i}.jpg").write_bytes(bytes([i % 20]))
    table = {"path": [f"{i}.jpg" for i in range(40)], "label": [i % 2 for i in range(40)]}
    records = make_records(table, class_names=("x", "y"), root=tmp_path, protocol="forty")
    taken = fingerprint(records)
    for seed in range(3):
        train, val = cut_validation(records, np.arange(40), 0.2, seed, taken.require_pictures()["sha256"])
        assert len(val) == 8
        assert cheap_leaks(records, Partition(train, val, val[:0]), taken) == []
    train, val = cut_validation(records, np.arange(40), 0.2, 0)
    assert cheap_leaks(records, Partition(train, val, val[:0]), taken) != [], "without the digests copies are divided"
