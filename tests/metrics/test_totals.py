"""Sums from which figures are computed."""

import numpy as np
import pytest
from scipy import sparse

from finegrained_crl.metrics.totals import by_class, cluster_totals, mean_over_classes, ratio, stack, summed, with_count

VALUES, LABELS = np.array([1.0, 3.0, 5.0, 2.0]), np.array([0, 2, 2, 0])
UNEVEN = by_class([1.0, 3.0, 5.0, 8.0], np.array([0, 2, 2, 2]), 4)


def test_a_mean_is_a_ratio_of_sums():
    assert with_count(VALUES).tolist() == [[1, 1], [3, 1], [5, 1], [2, 1]]
    assert ratio(summed(with_count(VALUES))).tolist() == [2.75]


def test_a_mean_over_classes_leaves_out_those_that_do_not_occur():
    table = by_class(VALUES, LABELS, 4)
    assert table.shape == (4, 8)
    assert table.toarray()[1].tolist() == [0, 0, 3, 0, 0, 0, 1, 0]
    assert mean_over_classes(summed(table)).tolist() == [(1.5 + 4.0) / 2]
    assert mean_over_classes(summed(UNEVEN)).tolist() == [(1 + 16 / 3) / 2]
    single = by_class([7.0, 1.0], np.array([0, 1]), 3)  # a class with one picture counts
    assert mean_over_classes(summed(single)).tolist() == [4.0]
    assert np.isnan(mean_over_classes(np.zeros(6)))


@pytest.mark.parametrize("as_sparse", [False, True])
def test_rows_of_a_cluster_are_added_in_the_order_of_names(as_sparse):
    table = with_count(VALUES)
    totals = cluster_totals(sparse.csr_array(table) if as_sparse else table, ["b", "a", "b", "c"])
    assert sparse.issparse(totals) == as_sparse
    dense = totals.toarray() if as_sparse else totals
    assert dense.tolist() == [[3, 1], [6, 2], [2, 1]]


def test_tables_are_laid_end_to_end():
    dense, thin = with_count(VALUES), sparse.csr_array(with_count(VALUES[:1]))
    assert stack([dense, dense[:2]]).shape == (6, 2)
    assert stack([thin, sparse.csr_array(dense)]).toarray().tolist() == [[1, 1], *dense.tolist()]
    assert summed(stack([dense, dense])).tolist() == [[22, 8]]
