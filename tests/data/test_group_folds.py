"""Folds on the entries alone: no group in two, classes as even as scikit-learn makes them."""

import numpy as np
import pytest

from finegrained_crl.data import group_folds as module
from finegrained_crl.data.group_folds import group_folds


def people(seed, rows=600, num_groups=150, num_classes=6):
    random = np.random.default_rng(seed)
    groups = np.unique(random.integers(num_groups, size=rows), return_inverse=True)[1]
    favourite = random.integers(num_classes, size=groups.max() + 1)
    classes = np.where(random.random(rows) < 0.7, favourite[groups], random.integers(num_classes, size=rows))
    return np.unique(classes, return_inverse=True)[1], groups


def unevenness(classes, folds):
    """Standard deviation over folds of a class's share, the mean over classes: what the rule makes small."""
    table = np.zeros((folds.max() + 1, classes.max() + 1))
    np.add.at(table, (folds, classes), 1)
    return (table / table.sum(0)).std(0).mean()


@pytest.mark.parametrize("seed", range(5))
def test_entries_alone_are_as_good_as_the_table(seed, monkeypatch):
    classes, groups = people(seed)
    table = group_folds(classes, groups, 5, seed)
    monkeypatch.setattr(module, "MOST_ENTRIES", 0)
    entries = group_folds(classes, groups, 5, seed)
    for folds in (table, entries):
        assert np.unique(np.stack([groups, folds]), axis=1).shape[1] == groups.max() + 1
        assert np.bincount(folds).min() > 0
    assert unevenness(classes, entries) < unevenness(classes, table) + 0.003
    assert unevenness(classes, entries) < 0.5 * unevenness(classes, np.random.default_rng(0).permutation(5)[groups % 5])


def test_a_seed_decides(monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", 0)
    classes, groups = people(0)
    first, again, other = (group_folds(classes, groups, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_many_groups_of_many_classes_need_no_table():
    """A table of 60,000 groups x 4,000 classes would take 1.9 GB."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(60_000), 2)
    classes = np.concatenate([np.arange(4_000), random.integers(4_000, size=116_000)])
    folds = group_folds(classes, groups, 10, 0)
    assert (folds[::2] == folds[1::2]).all()
    table = np.zeros((10, 4_000))
    np.add.at(table, (folds, classes), 1)
    # Thirty rows of a class over ten folds: two to five in nearly every one, where chance would leave 5 % empty.
    assert (table == 0).mean() < 0.01


def test_of_equally_good_folds_the_emptiest_is_filled(monkeypatch):
    """Two people in each of fifty classes: where nothing but order decided, three of five folds would stay empty."""
    monkeypatch.setattr(module, "MOST_ENTRIES", 0)
    folds = group_folds(np.repeat(np.arange(50), 2), np.arange(100), 5, 0)
    assert np.bincount(folds, minlength=5).tolist() == [20] * 5
