"""Folds that keep a group in one of them and the classes as even as they can be.

scikit-learn's StratifiedGroupKFold does it with a table of groups x classes: for 850,000 people and 10,000 classes that
would take 63 GiB. Beyond a bound its rule runs here on the entries that are not zero.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

SAME = 1e-12  # differences of costs below this are rounding
MOST_ENTRIES = 20_000_000
"""Of scikit-learn's table, 160 MB. Every set with a published number lies far below: its folds stay what they were."""


def group_folds(classes: Ints, groups: Ints, num_folds: int, seed: int) -> Ints:
    """Divide rows into folds, stratified by class as well as groups allow, no group in two folds.

    Args:
        classes: class of each row, int, (n,), counted from 0 without gaps.
        groups: group of each row, likewise.
        num_folds: at least 2.
        seed: same seed, same folds.
    Returns:
        fold of each row, int64, (n,), in [0, num_folds).
    """
    if (groups.max() + 1) * (classes.max() + 1) <= MOST_ENTRIES:
        return _by_table(classes, groups, num_folds, seed)
    return _by_entries(classes, groups, num_folds, seed)


def _by_table(classes: Ints, groups: Ints, num_folds: int, seed: int) -> Ints:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.zeros(len(classes), dtype=np.int64)
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A rare class is in as many folds as it can be.
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, held_out) in enumerate(splitter.split(np.zeros(len(classes)), classes, groups)):
            folds[held_out] = fold
    return folds


def _by_entries(classes: Ints, groups: Ints, num_folds: int, seed: int) -> Ints:
    """Groups one after another, the most uneven first, each to the fold where classes then vary least over folds."""
    num_groups, num_classes = int(groups.max()) + 1, int(classes.max()) + 1
    entries, sizes = np.unique(groups * num_classes + classes, return_counts=True)
    owners, of_class = np.divmod(entries, num_classes)
    first = np.searchsorted(owners, np.arange(num_groups + 1)).tolist()
    kinds, counts = of_class.tolist(), sizes.tolist()
    filling = _Filling(np.bincount(classes, minlength=num_classes).tolist(), num_folds)
    chosen = np.zeros(num_groups, dtype=np.int64)
    for group in _order(owners, sizes, num_groups, num_classes, seed).tolist():
        span = slice(first[group], first[group + 1])
        chosen[group] = filling.add(kinds[span], counts[span])
    return chosen[groups]


def _order(owners: Ints, sizes: Ints, num_groups: int, num_classes: int, seed: int) -> Ints:
    """Groups by the standard deviation of their counts over all classes, largest first; equal ones shuffled."""
    means = np.bincount(owners, sizes, num_groups) / num_classes
    squares = np.bincount(owners, sizes.astype(np.float64) ** 2, num_groups) / num_classes
    shuffled = np.random.default_rng(seed).permutation(num_groups)
    spread = (squares - means**2)[shuffled]
    return np.asarray(shuffled[np.argsort(-spread, kind="stable")])


class _Filling:
    """Rows of each class in each fold so far."""

    def __init__(self, totals: Sequence[int], num_folds: int) -> None:
        self.totals, self.folds = totals, range(num_folds)
        self.rows = [[0] * num_folds for _ in totals]
        self.sums, self.squares = [0] * len(totals), [0] * len(totals)
        self.all_rows = [0] * num_folds

    def add(self, kinds: Sequence[int], counts: Sequence[int]) -> int:
        """Put a group into the best fold, of equal ones into the emptiest, and say which that is."""
        costs = [0.0] * len(self.folds)
        for kind, count in zip(kinds, counts, strict=True):
            costs = list(map(operator.add, costs, self._costs(kind, count)))
        best = self._emptiest_of_best(costs)
        for kind, count in zip(kinds, counts, strict=True):
            rows = self.rows[kind]
            self.squares[kind] += 2 * count * rows[best] + count * count
            self.sums[kind] += count
            rows[best] += count
        self.all_rows[best] += sum(counts)
        return best

    def _costs(self, kind: int, count: int) -> list[float]:
        """For each fold, the deviation of the class's share over folds if so many rows came there."""
        number, total = len(self.folds), self.totals[kind]
        mean = (self.sums[kind] + count) / number
        rest = (self.squares[kind] + count * count) / number - mean * mean
        weight = 2 * count / number
        # Rounding can leave a variance of nothing just below 0.
        return [sqrt(square) / total if (square := rest + weight * rows) > 0 else 0.0 for rows in self.rows[kind]]

    def _emptiest_of_best(self, costs: Sequence[float]) -> int:
        bound = min(costs) + SAME
        candidates = [fold for fold in self.folds if costs[fold] <= bound]
        return min(candidates, key=self.all_rows.__getitem__)
