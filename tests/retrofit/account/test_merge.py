"""Receipts of many processes are one."""

import pytest

from finegrained_crl.retrofit.account.merge import merge_rows

ROW = {
    "kind": "call", "site": "a.py:1", "column": 4, "function": "f", "loss": "cross_entropy", "role": "class",
    "action": "replace", "reason": "r", "callers": [], "built": [],
}  # fmt: skip


def part(pid, *rows):
    return {"pid": pid, "rows": list(rows), "facts": {}}


def test_counts_of_one_place_and_decision_are_added_up_and_the_largest_misfit_stays():
    first = {**ROW, "count": 3, "flowed": 2, "updated": 1, "skipped": 1, "misfit": 0.25}
    second = {**ROW, "count": 5, "flowed": 5, "updated": 4, "skipped": 0, "misfit": 0.5, "gain": 1.1}
    idle = {**ROW, "count": 0, "flowed": 0, "updated": 0, "skipped": 0}
    (row,) = merge_rows([part(1, first), part(2, second), part(3, idle)])
    assert [row[name] for name in ("count", "flowed", "updated", "skipped")] == [8, 7, 5, 1]
    assert (row["processes"], row["misfit"], row["gain"]) == (2, 0.5, 1.1)


def test_what_the_first_process_measured_stands():
    measured = [{**ROW, "count": 1, "gain": gain} for gain in (1.25, 1.5)]
    (row,) = merge_rows([part(pid, row) for pid, row in enumerate(measured)])
    assert row["gain"] == 1.25


def test_another_decision_place_or_loss_is_another_row():
    others = [{"action": "leave"}, {"column": 9}, {"loss": "nll_loss"}, {"reason": "s"}, {"site": "a.py:2"}]
    rows = [{**ROW, **other, "count": 1} for other in ({}, *others)]
    assert len(merge_rows([part(1, *rows), part(2, *rows)])) == 6


def test_gradients_of_callers_without_any_update_are_discarded():
    trains = {**ROW, "callers": ["a.py:9"], "count": 4, "flowed": 4, "updated": 3}
    scores = {**ROW, "callers": ["a.py:12"], "count": 2, "flowed": 2, "updated": 0}
    killed = {**ROW, "callers": ["a.py:15"], "count": 1, "flowed": 1, "updated": 0}
    (row,) = merge_rows([part(1, trains, scores), part(2, scores, killed)])
    assert (row["flowed"], row["updated"], row["discarded"]) == (9, 3, 4)


@pytest.mark.parametrize(("zeroed", "discarded"), [(5, 5), (4, 0)])
def test_gradients_set_to_zero_count_as_discarded_where_they_are_many(zeroed, discarded):
    (row,) = merge_rows([part(1, {**ROW, "count": 40, "flowed": 40, "updated": 40 - zeroed, "zeroed": zeroed})])
    assert (row["zeroed"], row["discarded"]) == (zeroed, discarded)


def test_callers_that_are_updated_in_another_process_train():
    row = {**ROW, "callers": ["a.py:9"], "count": 2, "flowed": 2}
    (merged,) = merge_rows([part(1, {**row, "updated": 0}), part(2, {**row, "updated": 2})])
    assert merged["discarded"] == 0


@pytest.mark.parametrize(("flowed", "discarded"), [(1, 0), (2, 2)])
def test_one_pass_without_an_update_may_be_the_last_one(flowed, discarded):
    (row,) = merge_rows([part(1, {**ROW, "count": flowed, "flowed": flowed, "updated": 0})])
    assert row["discarded"] == discarded
