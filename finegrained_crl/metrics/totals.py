"""Totals: what each picture adds to the sums that a figure is computed from.

A mean, a kappa and a calibration error all are functions of sums over pictures. In that form they share one bootstrap:
draw people, add their totals, apply the function. Totals with a column or two per class are mostly zeros and are kept
sparse, so that a thousand classes cost no more than ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Array = NDArray[np.float64]
Totals: TypeAlias = NDArray[np.float64] | sparse.csr_array
"""(n, m): a row per picture or per cluster of pictures."""
Statistic = Callable[[Array], Array]
"""From summed totals, (draws, m), to the figure, (draws,)."""


def with_count(values: ArrayLike) -> Array:
    """Each picture's value and a one: the totals of a mean, (n, 2)."""
    column = np.asarray(values, dtype=np.float64)
    return np.stack([column, np.ones_like(column)], axis=1)


def ratio(totals: Array) -> Array:
    """First column over second: the mean, where the second counts pictures."""
    return np.asarray(totals[..., 0] / totals[..., 1])


def by_class(values: ArrayLike, labels: NDArray[np.int64], num_classes: int) -> sparse.csr_array:
    """Each picture's value in the column of its class, and a one in the class's second column: the totals of a mean
    over classes.

    Returns:
        sparse, (n, 2 * num_classes): sums first, counts second.
    """
    column = np.asarray(values, dtype=np.float64)
    rows = np.arange(len(labels))
    cells = np.concatenate([column, np.ones(len(labels))])
    columns = np.concatenate([labels, labels + num_classes])
    return sparse.csr_array((cells, (np.concatenate([rows, rows]), columns)), shape=(len(labels), 2 * num_classes))


def mean_over_classes(totals: Array) -> Array:
    """The classes' means of what `by_class` gave, averaged over the classes that occur."""
    sums, counts = np.split(np.asarray(totals, dtype=np.float64), 2, axis=-1)
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    present = (counts > 0).sum(-1)
    return np.asarray(means.sum(-1) / np.where(present > 0, present, np.nan))


def summed(totals: Totals) -> Array:
    """The sum over all rows, (1, m)."""
    return np.asarray(totals.sum(axis=0), dtype=np.float64).reshape(1, -1)


def stack(tables: Sequence[Totals]) -> Totals:
    """Tables laid end to end."""
    if any(sparse.issparse(table) for table in tables):
        return sparse.csr_array(sparse.vstack(tables, format="csr"))
    return np.concatenate(tables)


def cluster_totals(values: ArrayLike | sparse.csr_array, clusters: ArrayLike) -> Totals:
    """Sum rows within clusters: what a bootstrap of clusters needs of the data.

    Args:
        values: float, (n, m), per picture; for a mean: `with_count`.
        clusters: (n,), the subject of each picture, any hashable kind.
    Returns:
        float, (clusters, m), in the order of the sorted cluster names; sparse where `values` is.
    """
    table = values if sparse.issparse(values) else np.asarray(values, dtype=np.float64)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    membership = sparse.csr_array(
        (np.ones(len(index)), (index, np.arange(len(index)))), shape=(index.max() + 1, len(index))
    )
    totals = membership @ table
    return sparse.csr_array(totals) if sparse.issparse(table) else np.asarray(totals)
