import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finegrained_crl.data.folds import cut_validation, hold_out, require_every_class, seeded_folds, seeded_split
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.ages import AgeScale


def records_of(labels: list[int], **columns: list[object]) -> Records:
    names = tuple("abcdefghij"[: max(labels) + 1])
    paths = columns.pop("path", [f"{i}.jpg" for i in range(len(labels))])
    return make_records(
        {"path": paths, "label": labels, **columns}, class_names=names, root=Path("x"), protocol="made up"
    )


def test_split_defaults_to_test_and_keeps_val_apart() -> None:
    records = records_of([0, 1, 0, 1, 0, 1], split=["train", "train", "val", "val", "test", "test"])
    parts = hold_out(records)
    assert [part.tolist() for part in (parts.train, parts.val, parts.test)] == [[0, 1], [2, 3], [4, 5]]
    parts = hold_out(records, split="val")
    assert [part.tolist() for part in (parts.train, parts.val, parts.test)] == [[0, 1], [], [2, 3]]


def test_val_is_evaluated_where_there_is_no_test() -> None:
    assert hold_out(records_of([0, 1, 0], split=["train", "train", "val"])).test.tolist() == [2]


def test_fold_against_the_others() -> None:
    records = records_of([0, 1, 0, 1, 0, 1], fold=[0, 0, 1, 1, 2, 2])
    parts = hold_out(records, fold=1)
    assert (parts.train.tolist(), parts.val.tolist(), parts.test.tolist()) == ([0, 1, 4, 5], [], [2, 3])
    assert parts.train.dtype == np.int64


@pytest.mark.parametrize(
    ("columns", "asked", "message"),
    [
        ({"fold": [0, 0, 1, 1]}, {}, r"has folds.*--fold 0 \.\. --fold 1"),
        ({"fold": [0, 0, 1, 1]}, {"split": "test"}, r"--fold 0 \.\. --fold 1"),
        ({"fold": [0, 0, 1, 1]}, {"fold": 5}, r"--fold 5: no such fold, there are 0, 1"),
        ({"fold": [0, 0, 1, 1]}, {"fold": 0, "split": "test"}, r"exclude each other"),
        ({"split": ["train", "train", "test", "test"]}, {"fold": 0}, r"has no folds \(made up\)"),
        (
            {"split": ["train", "train", "test", "test"]},
            {"split": "val"},
            r"no split 'val' to evaluate on; this data set has test",
        ),
        ({"split": ["train", "train", "test", "test"]}, {"split": "train"}, r"no split 'train' to evaluate on"),
        ({"split": ["train"] * 4}, {}, r"no split 'test' to evaluate on; this data set has nothing but train"),
        ({}, {}, r"neither splits nor folds"),
        ({"split": ["train", "test", "train", "test"]}, {}, r"class 'b' has no training image"),
    ],
)
def test_what_cannot_be_held_out(columns: dict[str, list[object]], asked: dict[str, object], message: str) -> None:
    with pytest.raises(FinegrainedError, match=message):
        hold_out(records_of([0, 1, 0, 1], **columns), **asked)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(
    num_classes=st.integers(2, 6),
    per_class=st.integers(4, 15),
    fraction=st.sampled_from([0.2, 0.25, 1 / 3, 0.5]),
    seed=st.integers(0, 1000),
    subjects=st.booleans(),
)
def test_validation_part_properties(
    num_classes: int, per_class: int, fraction: float, seed: int, subjects: bool
) -> None:
    size = num_classes * per_class * 3
    labels = [i % num_classes for i in range(size)]
    # Three photos per subject, all of one class; some subjects unknown.
    subject = [None if i % 7 == 0 else f"s{i % num_classes}-{i // (3 * num_classes)}" for i in range(size)]
    records = records_of(labels, **({"subject": subject} if subjects else {}))
    pool = np.arange(size)[::-1]
    train, val = cut_validation(records, pool, fraction, seed)
    again = cut_validation(records, pool, fraction, seed)
    assert np.array_equal(train, again[0])
    assert np.array_equal(val, again[1])
    assert sorted([*train, *val]) == list(range(size))
    assert not set(train) & set(val)
    assert set(records.table["label"].to_numpy()[val]) == set(range(num_classes))
    both = set(records.table["subject"].iloc[train].dropna()) & set(records.table["subject"].iloc[val].dropna())
    assert not both
    assert abs(len(val) - fraction * size) <= 0.12 * size


def test_only_the_given_rows_are_divided() -> None:
    records = records_of([0, 1] * 20)
    train, val = cut_validation(records, np.arange(10, 40), 0.2, 0)
    assert sorted([*train, *val]) == list(range(10, 40))


def test_nothing_to_cut() -> None:
    train, val = cut_validation(records_of([0, 1]), np.array([0, 1]), 0, 0)
    assert (train.tolist(), val.tolist()) == ([0, 1], [])


def test_a_picture_listed_twice_stays_on_one_side() -> None:
    records = records_of([0, 1] * 20, path=[f"{i % 20}.jpg" for i in range(40)])
    train, val = cut_validation(records, np.arange(40), 0.2, 3)
    assert not set(records.table["path"].iloc[train]) & set(records.table["path"].iloc[val])


@pytest.mark.parametrize(
    ("labels", "fraction", "message"),
    [
        ([0, 1] * 5, 0.7, r"above 0 and at most 0\.5, got 0\.7"),
        ([0, 1] * 5, -0.1, r"above 0 and at most 0\.5"),
        ([0, 0, 0, 0, 1], 0.2, r"class 'b' has a single image or subject"),
        ([0, 1, 2, 3] * 2, 0.2, r"0\.2 of 8 images is 2, fewer than the 4 classes"),
    ],
)
def test_too_little_to_divide(labels: list[int], fraction: float, message: str) -> None:
    with pytest.raises(FinegrainedError, match=message):
        cut_validation(records_of(labels), np.arange(len(labels)), fraction, 0)


def test_too_few_subjects() -> None:
    labels, groups = pd.Series([0, 1] * 10), pd.Series(["p", "q"] * 5 + ["r", "s"] * 5)
    with pytest.raises(FinegrainedError, match=r"4 subjects cannot make 5 parts"):
        seeded_split(labels, groups, 0.2, 0)


@pytest.mark.parametrize("kind", ["subject", "album", "original"])
def test_whatever_hangs_together_stays_together(kind: str) -> None:
    labels = [i % 2 for i in range(60)]
    values = [f"K{i // 3}" if i % 2 else f" k{i // 3} " for i in range(60)]
    records = records_of(labels, **{kind: values})
    for seed in range(4):
        train, val = cut_validation(records, np.arange(60), 0.2, seed)
        who = records.table[kind].str.strip().str.lower()
        assert not set(who.iloc[train]) & set(who.iloc[val])
        assert len(val)


def test_subject_album_and_original_are_joined() -> None:
    """Row i shares its subject with i + 1 and its album with i - 1: chains of four rows."""
    subject = [f"s{i // 2}" for i in range(80)]
    album = [f"a{(i + 1) // 2}" if i % 4 in (1, 2) else None for i in range(80)]
    records = records_of([i % 2 for i in range(80)], subject=subject, album=album)
    train, val = cut_validation(records, np.arange(80), 0.2, 0)
    assert not set(train // 4) & set(val // 4)
    assert len(val) % 4 == 0


def test_a_data_sets_own_name_for_albums() -> None:
    labels = [i % 2 for i in range(40)]
    users = [f"u{i // 4}" for i in range(40)]
    table = {"path": [f"{i}.jpg" for i in range(40)], "label": labels, "user": users}
    records = make_records(table, class_names=("a", "b"), root=Path("x"), protocol="x", groupings={"album": "user"})
    train, val = cut_validation(records, np.arange(40), 0.2, 0)
    assert not set(train // 4) & set(val // 4)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range(seed: int) -> None:
    with pytest.raises(FinegrainedError, match=rf"seed of a split must be from 0 to 4294967295, got {seed}"):
        cut_validation(records_of([0, 1] * 20), np.arange(40), 0.2, seed)
    with pytest.raises(FinegrainedError, match="seed of a split"):
        seeded_folds(pd.Series([0, 1] * 20), pd.Series(range(40)), 2, seed)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=40),
    st.sampled_from([0.05, 0.1, 0.2, 0.3, 0.45, 0.5]),
)
def test_small_classes_are_divided_or_refused(rows: list[tuple[int, int]], fraction: float) -> None:
    labels, groups = pd.Series([f"c{label}" for label, _ in rows]), pd.Series([who for _, who in rows])
    try:
        first, second = seeded_split(labels, groups, fraction, 0)
    except FinegrainedError:
        return
    assert sorted([*first, *second]) == list(range(len(rows)))
    assert not set(groups[first]) & set(groups[second])


def test_a_row_without_a_fold_trains_nothing() -> None:
    records = records_of([0, 1, 0, 1, 0, 1], fold=[0, 0, 1, 1, None, None])
    parts = hold_out(records, fold=1)
    assert (parts.train.tolist(), parts.test.tolist()) == ([0, 1], [2, 3])


@pytest.mark.parametrize("seed", range(5))
def test_copies_under_other_names_stay_on_one_side(seed: int) -> None:
    """Pictures 0 and 1, 2 and 3 .. have equal bytes."""
    records = records_of([0, 0, 1, 1] * 6)
    digests = pd.Series([str(i // 2) for i in range(24)])
    keep, cut = cut_validation(records, np.arange(24), 0.25, seed, digests)
    assert len(cut)
    assert not set(keep // 2) & set(cut // 2)
    unknown = cut_validation(records, np.arange(24), 0.25, seed, pd.Series([""] * 24))
    plain = cut_validation(records, np.arange(24), 0.25, seed)
    assert unknown[1].tolist() == plain[1].tolist()


def test_the_share_that_is_cut_is_the_one_asked_for() -> None:
    records = records_of([0, 1] * 40)
    assert [len(cut_validation(records, np.arange(80), share, 0)[1]) for share in (0.1, 0.25, 0.5)] == [8, 20, 40]
    subjects = records_of([0, 1] * 40, subject=[str(i // 4) for i in range(80)])
    assert len(cut_validation(subjects, np.arange(80), 0.25, 0)[1]) == 20


def test_the_seed_divides_people_too() -> None:
    records = records_of([0, 1] * 40, subject=[str(i // 2) for i in range(80)])
    cuts = {tuple(cut_validation(records, np.arange(80), 0.25, seed)[1]) for seed in range(4)}
    assert len(cuts) == 4


def test_as_many_pictures_as_classes_can_be_held_out() -> None:
    assert len(cut_validation(records_of([0, 1] * 10), np.arange(20), 0.1, 0)[1]) == 2
    with pytest.raises(FinegrainedError, match="is 1, fewer than the 2 classes"):
        cut_validation(records_of([0, 1] * 10), np.arange(20), 0.05, 0)


@pytest.mark.parametrize(("scale", "notes"), [(None, 1), (AgeScale(0, 2), 0)])
def test_a_group_without_pictures_is_told_and_a_year_is_not(scale: AgeScale | None, notes: int) -> None:
    columns = {"path": ["a", "b", "c"], "label": [0, 1, 2]} | ({"age": [0.0, 1.0, 2.0]} if scale else {})
    records = make_records(
        columns, class_names=("0", "1", "2"), root=Path("x"), protocol="made up", ordered=True, ages=scale
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        require_every_class(records, np.array([0, 2]), "training")
    assert ["class '1' has no training image" in str(note.message) for note in said] == [True] * notes
