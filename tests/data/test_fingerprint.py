"""Every change of a data set changes its fingerprint, and is told."""

import dataclasses

import pytest

from finegrained_crl.data.changes import differences
from finegrained_crl.data.fingerprint import DataFingerprint, fingerprint, without_pictures
from finegrained_crl.data.records import make_records
from finegrained_crl.errors import FinegrainedError

BASE = {
    "path": ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"],
    "label": [0, 0, 1, 1],
    "split": ["train", "test", "train", "test"],
    "subject": ["s", "t", "u", None],
    "album": ["m", "m", "n", "n"],
}


@pytest.fixture
def root(tmp_path):
    for path in (*BASE["path"], "a/5.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    return tmp_path


def take(root, names=("owl", "hen"), rows=slice(None), **columns):
    table = {name: values[rows] for name, values in (BASE | columns).items()}
    return fingerprint(make_records(table, class_names=names, root=root, protocol="four"))


CHANGES = [
    ({"label": [0, 0, 1, 0]}, "label of 1 picture changed (first: b/4.jpg: 1 'hen' there, 0 'owl' now)"),
    ({"label": [1, 1, 0, 0]}, "label of 4 pictures changed (first: a/1.jpg: 0 'owl' there, 1 'hen' now)"),
    ({"split": ["test", "train", "test", "train"]}, "train and test are swapped (4 pictures)"),
    ({"split": ["train", "val", "train", "test"]}, "split of 1 picture changed (first: a/2.jpg: test there, val now)"),
    ({"fold": [0, 1, 0, 1]}, "fold of 4 pictures changed (first: a/1.jpg: none there, 0 now)"),
    ({"subject": ["s", "t", "u", "v"]}, "subject of 1 picture changed (first: b/4.jpg: none there, v now)"),
    ({"album": ["m", "o", "n", "n"]}, "album of 1 picture changed (first: a/2.jpg: m there, o now)"),
    ({"original": ["1", "2", "3", "4"]}, "original of 4 pictures changed (first: a/1.jpg: none there, 1 now)"),
    ({"names": ("owl", "cock")}, "class 1 renamed 'hen' -> 'cock'"),
    ({"names": ("hen", "owl")}, "the classes are in another order (first: class 0 'owl' there, 'hen' now)"),
    ({"rows": slice(0, 3)}, "1 picture removed (first: b/4.jpg)"),
    ({"rows": [1, 0, 2, 3]}, "the same pictures are listed in another order"),
    ({"path": ["a/1.jpg", "a/2.jpg", "b/3.jpg", "a/5.jpg"]}, "1 picture removed (first: b/4.jpg)"),
    ({"path": ["a/1.jpg", "a/2.jpg", "b/3.jpg", "a/5.jpg"]}, "1 picture added (first: a/5.jpg)"),
    ({"path": ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/gone.jpg"]}, "1 picture added (first: b/gone.jpg)"),
]


@pytest.mark.parametrize(("change", "line"), CHANGES, ids=[line[:40] for _, line in CHANGES])
def test_each_change_is_named(root, change, line):
    stored = take(root)
    if isinstance(change.get("rows"), list):
        change = {name: [values[i] for i in change["rows"]] for name, values in BASE.items()}
    now = take(root, **change)
    assert line in differences(stored, now)
    assert now.digest != stored.digest
    assert now != stored
    coarse = differences(DataFingerprint.from_dict(stored.as_dict()), now)
    assert coarse
    assert all(text.endswith("changed") or "pictures there" in text for text in coarse)


def test_nothing_changed(root):
    assert differences(take(root), take(root)) == []
    assert take(root) == take(root)


def test_pixels(root):
    stored = take(root)
    (root / "a/2.jpg").write_bytes(b"another picture")
    (root / "b/3.jpg").unlink()
    now = take(root)
    assert differences(stored, now) == [
        "the file of 1 picture can't be read now (first: b/3.jpg)",
        "content of 1 picture changed (first: a/2.jpg)",
    ]
    assert (now.labels, now.rows, now.split) == (stored.labels, stored.rows, stored.split)
    assert differences(without_pictures(stored), now) == ["the content of files changed"]


def test_a_file_under_another_name(root):
    stored = take(root)
    (root / "b/4.jpg").rename(root / "b/9.jpg")
    now = take(root, path=["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/9.jpg"])
    assert differences(stored, now) == ["1 picture under another name (first: b/4.jpg there, b/9.jpg now)"]


def test_a_class_more_is_no_other_label(root):
    stored = take(root)
    columns = {"path": [*BASE["path"], "a/5.jpg"], "label": [1, 1, 2, 2, 0], "split": [*BASE["split"], "train"]}
    now = take(
        root, names=("ant", "owl", "hen"), **columns, subject=[*BASE["subject"], None], album=[*BASE["album"], None]
    )
    assert differences(stored, now) == ["2 classes there, 3 now (new 'ant')", "1 picture added (first: a/5.jpg)"]


def test_albums_by_a_data_sets_own_name(root):
    columns = {"path": BASE["path"], "label": BASE["label"], "user_id": BASE["album"]}

    def records(values):
        table = columns | {"user_id": values}
        return make_records(table, class_names=("owl", "hen"), root=root, protocol="x", groupings={"album": "user_id"})

    stored, now = fingerprint(records(BASE["album"])), fingerprint(records(["m", "m", "n", "o"]))
    assert differences(stored, now) == ["album of 1 picture changed (first: b/4.jpg: n there, o now)"]


def test_a_stored_table_comes_back(root):
    stored = take(root)
    again = DataFingerprint.from_bytes(stored.to_bytes())
    assert again == stored
    assert again.names == ("owl", "hen")
    assert differences(again, take(root, label=[0, 0, 1, 0])) == [CHANGES[0][1]]
    assert DataFingerprint.from_dict(stored.as_dict()) == without_pictures(stored) == stored


def test_a_damaged_table_is_refused(root):
    content = take(root).to_bytes()
    for damaged in (b"", b"PAR1", content[:-20], content[: len(content) // 2]):
        with pytest.raises(FinegrainedError, match="stored table of pictures is damaged"):
            DataFingerprint.from_bytes(damaged)


def test_a_table_that_was_edited_is_refused(root):
    import io

    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(take(root).to_bytes()))
    changed = table.set_column(2, "label", [[1, 1, 1, 1]])
    out = io.BytesIO()
    pq.write_table(changed, out)
    with pytest.raises(FinegrainedError, match="isn't what its digests were taken from"):
        DataFingerprint.from_bytes(out.getvalue())


@pytest.mark.parametrize("damage", [{"labels": "0"}, {"images": "many"}, {"digest": None}])
def test_damaged_digests_are_refused(root, damage):
    with pytest.raises(FinegrainedError, match="stored fingerprint of the data is damaged"):
        DataFingerprint.from_dict(take(root).as_dict() | damage)
    with pytest.raises(FinegrainedError, match="stored fingerprint of the data is damaged"):
        DataFingerprint.from_dict({})


def test_neighbours_do_not_run_together(root):
    assert take(root, subject=["st", None, None, None]).split != take(root, subject=["s", "t", None, None]).split


def test_a_change_that_no_picture_shows_is_named_by_its_kind(root):
    stored = take(root)
    now = dataclasses.replace(stored, pixels="other")
    assert differences(stored, now) == ["the content of files changed"]
