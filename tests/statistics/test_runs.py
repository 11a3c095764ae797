"""Totals per person of a run, and its figure without each person."""

import numpy as np
import pytest
from scipy import sparse

from finegrained_crl.metrics import catalogue
from finegrained_crl.metrics.totals import ratio, with_count
from finegrained_crl.statistics import runs as module
from finegrained_crl.statistics.runs import make_run

WHO = ["bob", "ann", "bob", "cid"]
HITS = with_count([1, 0, 1, 0])
OTHER = with_count([0, 1, 0, 0])


def test_a_run_is_summed_by_person():
    run = make_run(3, WHO, HITS)
    assert (run.fold, run.clusters.tolist(), run.sizes.tolist()) == ("3", ["ann", "bob", "cid"], [1, 2, 1])
    assert run.totals.tolist() == [[0, 1], [2, 2], [0, 1]]
    assert run.value(ratio) == 0.5
    assert run.without_each(ratio).tolist() == pytest.approx([2 / 3, 0, 2 / 3])


def test_a_pair_is_a_difference_everywhere():
    run = make_run(None, WHO, HITS, OTHER)
    assert run.value(ratio) == 0.25
    assert run.without_each(ratio).tolist() == pytest.approx([2 / 3 - 0, 0 - 1 / 2, 2 / 3 - 1 / 3])


def test_without_its_only_person_a_figure_is_undefined():
    assert np.isnan(make_run(0, ["ann"], with_count([1])).without_each(ratio)).all()


@pytest.mark.parametrize("block", [1, 50, 4_000_000])
def test_sparse_tables_are_taken_in_blocks(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    random = np.random.default_rng(0)
    figure = catalogue.find_figure("mean_class_accuracy")
    totals = figure.totals(catalogue.make_scores(random.normal(size=(40, 7)), random.integers(0, 7, 40)))
    assert sparse.issparse(totals)
    who = np.arange(40) // 3
    dense = make_run(0, who, totals.toarray()).without_each(figure.statistic)
    assert make_run(0, who, totals).without_each(figure.statistic).tolist() == pytest.approx(dense.tolist())


@pytest.mark.parametrize(("who", "baseline"), [(WHO[:3], None), ([], None), (WHO, OTHER[:2])])
def test_tables_must_fit(who, baseline):
    with pytest.raises(ValueError, match="a row per picture"):
        make_run(0, who, HITS if who else HITS[:0], baseline)
