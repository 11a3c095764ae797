"""Spellings of one person, links to one file, and groups that hang together."""

import os
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finegrained_crl.data.identity import (
    class_warnings,
    clusters,
    identities,
    joined,
    plain_path,
    same_class,
    same_files,
    same_identity,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "ann"),
        (" Ann", "Ann\t"),
        (unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "ZOË")),
        ("1", "1.0"),
        ("-3", "-3.00"),
        ("Straße", "STRASSE"),
    ],
)
def test_one_identity(one, other):
    assert same_identity(one) == same_identity(other)


@pytest.mark.parametrize(("one", "other"), [("1", "10"), ("1.0", "1.05"), ("01", "1"), ("a b", "ab"), ("Zoë", "Zoe")])
def test_two_identities(one, other):
    assert same_identity(one) != same_identity(other)


def test_a_column():
    column = pd.Series(["A", None, " ", "a ", "1.0", 1])
    assert identities(column).tolist() == ["a", None, None, "a", "1", "1"]


@pytest.mark.parametrize("path", ["./a/b.jpg", "a//b.jpg", "a/./b.jpg", ".//a/b.jpg"])
def test_one_path(path):
    assert plain_path(path) == "a/b.jpg"
    assert plain_path("/a/b") == "/a/b"
    assert plain_path("a/../b") == "a/../b"


def test_links_are_one_file(tmp_path):
    for name in ("a.jpg", "other.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "soft.jpg").symlink_to("a.jpg")
    os.link(tmp_path / "a.jpg", tmp_path / "hard.jpg")
    paths = pd.Series(["a.jpg", "soft.jpg", "hard.jpg", "./a.jpg", "other.jpg", "gone.jpg", "./gone.jpg", "no\0name"])
    expected = ["a.jpg", "a.jpg", "a.jpg", "a.jpg", "other.jpg", "gone.jpg", "gone.jpg", "no\0name"]
    assert same_files(tmp_path, paths).tolist() == expected


def test_classes_that_look_alike():
    assert same_class("Lantern_Shrike ") == same_class("LANTERN-SHRIKE")
    assert class_warnings(("owl", "hen")) == []
    lines = class_warnings(("owl", "Owl ", "hen", "NA", "None"))
    assert lines[0] == "classes 'owl' and 'Owl ' look like one class: give them one spelling if they are"
    assert lines[1] == "class 'NA', 'None' looks like a missing label: remove these rows if it is"
    assert len(class_warnings(("1", "1.0"))) == 1


def test_a_chain_is_one_group():
    subject = pd.Series(["s", "s", None, None, "t", None])
    album = pd.Series([None, "m", "m", None, "n", None])
    assert joined(subject, album).tolist() == [0, 0, 0, 1, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25))
def test_groups_are_what_a_slow_merge_gives(rows):
    one, other = (pd.Series([row[i] if row[i] else None for row in rows], dtype=object) for i in (0, 1))
    groups = list(range(len(rows)))
    for _ in rows:
        for i in range(len(rows)):
            for j in range(len(rows)):
                shares = (rows[i][0] and rows[i][0] == rows[j][0]) or (rows[i][1] and rows[i][1] == rows[j][1])
                if shares:
                    groups[i] = groups[j] = min(groups[i], groups[j])
    merged = joined(one, other).to_numpy()
    assert np.array_equal(merged, pd.factorize(np.array(groups))[0])


def test_people_are_drawn_as_a_whole_and_pictures_of_nobody_alone():
    paths = ["a.jpg", "b.jpg", "c.jpg"]
    known = pd.DataFrame({"path": paths, "subject": ["ann", None, "ann"]})
    assert clusters(known).tolist() == ["subject ann", "image b.jpg", "subject ann"]
    assert clusters(known[["path"]]).tolist() == [f"image {path}" for path in paths]


def test_a_file_of_many_under_two_names_holds_the_same_pictures(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"whatever it holds")
    (tmp_path / "b.tar").symlink_to("a.tar")
    paths = pd.Series(["a.tar#0", "a.tar#1", "b.tar#0", "gone.tar#0"])
    assert same_files(tmp_path, paths).tolist() == ["a.tar#0", "a.tar#1", "a.tar#0", "gone.tar#0"]
