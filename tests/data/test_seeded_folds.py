"""Folds made from a table: whatever scikit-learn's splitter does, no subject is in two, and every picture is tested
once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finegrained_crl.data.folds import hold_out, seeded_folds
from finegrained_crl.data.leaks import partition_leaks
from finegrained_crl.data.records import make_records
from finegrained_crl.errors import FinegrainedError

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=2, max_size=60)


def columns(rows):
    return pd.Series([f"class {label}" for label, _ in rows]), pd.Series([f"person {who}" for _, who in rows])


@settings(max_examples=80, deadline=None)
@given(ROWS, st.integers(2, 5), st.integers(0, 99))
def test_every_row_in_one_fold_and_no_subject_in_two(rows, num_folds, seed):
    labels, groups = columns(rows)
    if groups.nunique() < num_folds or labels.value_counts().max() < num_folds:
        with pytest.raises(FinegrainedError, match=r"cannot make|no class has"):
            seeded_folds(labels, groups, num_folds, seed)
        return
    folds = seeded_folds(labels, groups, num_folds, seed)
    assert set(folds) == set(range(num_folds))
    assert pd.Series(folds).groupby(groups).nunique().max() == 1
    assert (folds == seeded_folds(labels, groups, num_folds, seed)).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.integers(2, 5))
def test_each_image_is_tested_once(seed, num_folds):
    who = np.random.default_rng(seed).integers(0, 40, 200)
    labels = pd.Series(np.where(who % 2, "old", "young"))
    folds = seeded_folds(labels, pd.Series(who).astype(str), num_folds, seed)
    table = {
        "path": [f"{i}.jpg" for i in range(200)],
        "label": (who % 2).tolist(),
        "fold": folds,
        "subject": [str(w) for w in who],
    }
    records = make_records(table, class_names=("young", "old"), root=Path("x"), protocol="made up")
    parts = [hold_out(records, fold=fold) for fold in range(num_folds)]
    assert sorted(np.concatenate([part.test for part in parts])) == list(range(200))
    assert all(partition_leaks(records, part) == [] for part in parts)


def test_stratified_as_well_as_people_allow():
    labels = pd.Series(["a", "b"] * 100)
    groups = pd.Series([f"{i // 4}" for i in range(200)])
    folds = seeded_folds(labels, groups, 5, 0)
    shares = pd.crosstab(folds, labels, normalize="index")
    assert (shares["a"] - 0.5).abs().max() < 0.05


def test_ordered_groups_may_lack_one_in_training():
    table = {"path": list("abcd"), "label": [0, 0, 1, 1], "fold": [0, 1, 1, 1]}
    records = make_records(table, class_names=("young", "old"), root=Path("x"), protocol="four", ordered=True)
    with pytest.warns(UserWarning, match="class 'old' has no training image: it can't be learnt"):
        assert hold_out(records, fold=1).train.tolist() == [0]


def test_another_seed_gives_other_folds():
    labels, groups = pd.Series(["a", "b"] * 50), pd.Series([str(i) for i in range(100)])
    assert (seeded_folds(labels, groups, 5, 0) != seeded_folds(labels, groups, 5, 1)).any()
