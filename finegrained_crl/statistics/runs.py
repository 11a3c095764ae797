"""Runs of a study as the estimators see them: a figure's totals per cluster, and what the figure is without each one.

A cluster is what chance drew as a whole: a person with all their photographs, or a picture where no person is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from finegrained_crl.metrics.totals import Array, Statistic, Totals, cluster_totals, summed

BLOCK = 4_000_000
"""Numbers of a sparse table that are made dense at a time."""


@dataclass(frozen=True)
class Run:
    """One run on the held-out pictures of its fold; with `baseline`, a pair of runs and their difference.

    Attributes:
        fold: which pictures were held out. Runs of one fold share them.
        clusters: str, (c,), sorted and unique.
        sizes: float, (c,), pictures of each cluster.
        totals: float, (c, m), of the figure, see `metrics/totals.py`.
        baseline: float, (c, m), of the run that it is compared with on the same pictures.
    """

    fold: str
    clusters: NDArray[np.str_]
    sizes: Array
    totals: Totals
    baseline: Totals | None = None

    def value(self, statistic: Statistic) -> float:
        """The figure, or the difference of the two."""
        own = float(statistic(summed(self.totals))[0])
        return own if self.baseline is None else own - float(statistic(summed(self.baseline))[0])

    def without_each(self, statistic: Statistic) -> Array:
        """The value without each cluster in turn, (c,)."""
        own = _without_each(self.totals, statistic)
        return own if self.baseline is None else own - _without_each(self.baseline, statistic)


def make_run(fold: object, clusters: ArrayLike, totals: Totals, baseline: Totals | None = None) -> Run:
    """A run from one row per picture.

    Args:
        fold: any name; None where there is a single split.
        clusters: (n,), whom each picture shows.
        totals: float, (n, m).
        baseline: float, (n, m), of the same pictures in the same order.
    Raises:
        ValueError: no picture, or tables of different length.
    """
    names = np.asarray(clusters, dtype=str)
    lengths = {len(names), totals.shape[0], totals.shape[0] if baseline is None else baseline.shape[0]}
    if not len(names) or len(lengths) > 1:
        raise ValueError(f"expected a row per picture in each table, got {sorted(lengths)}")
    unique, sizes = np.unique(names, return_counts=True)
    paired = None if baseline is None else cluster_totals(baseline, names)
    return Run(str(fold), unique, sizes.astype(np.float64), cluster_totals(totals, names), paired)


def _without_each(totals: Totals, statistic: Statistic) -> Array:
    whole = summed(totals)
    if not sparse.issparse(totals):
        return _quietly(statistic, whole - totals)
    table, rows = sparse.csr_array(totals), max(1, BLOCK // whole.shape[1])
    blocks = [table[start : start + rows].toarray() for start in range(0, table.shape[0], rows)]
    return np.concatenate([_quietly(statistic, whole - block) for block in blocks])


def _quietly(statistic: Statistic, totals: Array) -> Array:
    # Without its only cluster a figure is 0 / 0: NaN is the answer, not a warning.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(statistic(totals), dtype=np.float64)
