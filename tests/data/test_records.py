"""The records table checks what enters it, and names every kind of problem at once."""

import pytest

from finegrained_crl.data.records import escapes_root, make_records
from finegrained_crl.errors import FinegrainedError


def records(paths, labels, names=("a", "b"), **columns):
    return make_records(
        {"path": paths, "label": labels, **columns}, class_names=names, root="/data", protocol="test set"
    )


def test_standard_columns_are_filled_in():
    table = records(["x.jpg", "y.jpg"], [0, 1]).table
    assert list(table.columns) == ["id", "path", "label", "split", "fold", "subject"]
    assert table["fold"].isna().all()
    assert table["subject"].isna().all()


def test_repeated_paths_get_ids_of_their_own():
    assert records(["x", "x", "y", "x"], [0, 1, 0, 1]).table["id"].tolist() == ["x", "x#2", "y", "x#3"]


def test_all_problems_are_told_together():
    with pytest.raises(FinegrainedError) as caught:
        records(["../x.jpg", "y.jpg", "z.jpg"], [0, 7, 0], split=["train", "tests", "test"])
    text = str(caught.value)
    assert "path escapes the image root /data: ../x.jpg" in text
    assert "label beyond the 2 classes (0..1): 7 (y.jpg)" in text
    assert "split must be train, val or test: tests (y.jpg)" in text
    assert "class without any image: b" in text


def test_an_empty_table_is_refused():
    with pytest.raises(FinegrainedError, match="no labelled image in /data"):
        records([], [])


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/passwd", "..", "C:\\x.jpg", "..\\x.jpg"])
def test_paths_that_escape(path):
    assert escapes_root(path)


@pytest.mark.parametrize("path", ["a", "a/b.jpg", "a/../b", "./a", "..a.jpg", "a b/ä.jpg"])
def test_paths_that_stay(path):
    assert not escapes_root(path)


def test_the_fingerprint_follows_every_column_that_counts():
    base = records(["x", "y"], [0, 1])
    assert base.fingerprint() == records(["x", "y"], [0, 1]).fingerprint()
    others = [records(["x", "z"], [0, 1]), records(["x", "y"], [1, 0]), records(["x", "y"], [0, 1], names=("a", "c"))]
    others.append(records(["x", "y"], [0, 1], split=["train", "test"]))
    assert len({r.fingerprint() for r in [base, *others]}) == 5


def test_a_label_is_an_index_of_a_class():
    assert len(records(["x.jpg", "y.jpg"], [0, 1])) == 2
    for label in (2, -1):
        with pytest.raises(FinegrainedError, match=rf"label beyond the 2 classes \(0..1\): {label} \(z.jpg\)"):
            records(["x.jpg", "y.jpg", "z.jpg"], [0, 1, label])


def test_a_path_is_spelled_one_way():
    """`id` and what is compared by path must not depend on how a table spells it."""
    assert records(["./x.jpg", "a//y.jpg"], [0, 1]).table["path"].tolist() == ["x.jpg", "a/y.jpg"]
