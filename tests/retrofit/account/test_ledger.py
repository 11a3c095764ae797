"""What a process writes down outlives it, and a broken disk does not stop it."""

import os
import shutil

import pytest

from finegrained_crl.retrofit.account.ledger import Ledger, read_ledgers
from finegrained_crl.retrofit.account.receipt import _proofs, make_receipt, show
from finegrained_crl.retrofit.sites.settings import Settings

CALL = {
    "site": "a.py:1",
    "column": 0,
    "function": "f",
    "loss": "cross_entropy",
    "role": "class",
    "action": "replace",
    "reason": "r",
}


def test_counts_of_a_process_and_its_fork_are_added_up_even_if_the_fork_is_killed(tmp_path):
    ledger = Ledger(tmp_path)
    row = ledger.row(kind="call", **CALL, callers=[], built=[])
    for _ in range(3):
        ledger.count(row)
    if (pid := os.fork()) == 0:
        try:
            ledger.count(ledger.row(kind="call", **CALL, callers=[], built=[]))
        finally:
            os.kill(os.getpid(), 9)
    assert os.waitpid(pid, 0)[1] == 9
    parts = read_ledgers(tmp_path)
    assert sorted(part["rows"][0]["count"] for part in parts) == [1, 3]
    receipt = make_receipt(Settings(), parts)
    assert (receipt.replaced, receipt.sites[0]["processes"]) == (4, 2)


def test_a_folder_that_vanishes_stops_nothing(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    ledger = Ledger(folder)
    shutil.rmtree(folder)
    row = ledger.row(kind="call", **CALL)
    ledger.count(row)
    assert ledger.counts()[row]["count"] == 1


def test_the_explanation_says_what_to_do():
    armed = [{"pid": 1, "rows": [], "facts": {"armed": True}}]
    assert "never imported torch" in make_receipt(Settings(), []).explanation
    assert "no cross-entropy was built or called" in make_receipt(Settings(), armed).explanation
    built = {"kind": "construction", "site": "a.py:2", "function": "f", "loss": "CrossEntropyLoss", "count": 1}
    assert "built but never called: a.py:2" in make_receipt(Settings(), [{**armed[0], "rows": [built]}]).explanation
    row = {"kind": "call", **CALL, "callers": [], "built": [], "count": 2, "action": "leave"}
    only = make_receipt(Settings(only=("b.py:7",)), [{**armed[0], "rows": [row]}])
    assert only.explanation == "--only b.py:7: no loss was called there; calls seen at a.py:1"
    evaluation = make_receipt(Settings(), [{**armed[0], "rows": [{**row, "role": "validation"}]}])
    assert evaluation.explanation.startswith("called only in evaluation: a.py:1")


def test_the_largest_misfit_of_all_replaced_sites_is_told():
    rows = [
        {"kind": "call", **CALL, "site": site, "callers": [], "built": [], "count": 2, "proven": 2, "misfit": misfit}
        for site, misfit in (("a.py:1", 0.25), ("b.py:1", 0.5), ("c.py:1", 0.125))
    ]
    receipt = make_receipt(Settings(), [{"pid": 1, "rows": rows, "facts": {"armed": True}}])
    (line,) = _proofs(receipt)
    assert line.endswith("6 backward passes, largest misfit 5.0e-01")


@pytest.mark.parametrize(("zeroed", "is_noted"), [(2, True), (0, False)])
def test_a_few_gradients_that_were_set_to_zero_are_a_note(zeroed, is_noted, capsys):
    counters = {"count": 40, "flowed": 40, "updated": 40 - zeroed, "skipped": 0, "zeroed": zeroed}
    row = {**CALL, "kind": "call", "callers": [], "built": [], **counters}
    receipt = make_receipt(Settings(), [{"pid": 1, "rows": [row], "facts": {"armed": True, "stepped": True}}])
    assert receipt.problems == {}
    show(receipt, None)
    noted = "note on a.py:1: gradients of 2 of 40 calls were set to zero unused" in capsys.readouterr().err
    assert noted == is_noted


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        ({"reason": "distillation: its targets", "action": "leave"}, "left by its role, and gradients of 37 of its 40"),
        ({"reason": "distillation: its targets", "action": "leave", "updated": 0}, ""),
        ({"reason": "not named by --only", "action": "leave"}, ""),
        ({}, "gradients of 2 of 39 calls took part in no update"),
        ({"updated": 39}, ""),
        ({"flowed": 40, "updated": 0, "reason": "--only class"}, "gradients of 40 of 40 calls took part in no update"),
    ],
)
def test_what_is_no_fault_and_yet_to_be_known_is_a_note(facts, note):
    counters = {"count": 40, "flowed": 39, "updated": 37, "skipped": 1, "zeroed": 0}
    row = {**CALL, "kind": "call", "callers": [], "built": [], **counters, **facts}
    receipt = make_receipt(Settings(), [{"pid": 1, "rows": [row], "facts": {"armed": True, "stepped": True}}])
    assert [(site, note in text) for site, text in receipt.notes] == ([("a.py:1", True)] if note else [])
    assert len(receipt.as_dict()["notes"]) == len(receipt.notes)


def told(exit_code, **counters):
    """Problems and notes of a site with two passes that no update came after, where others had one."""
    row = {**CALL, "kind": "call", "callers": [], "built": [], "skipped": 0, "zeroed": 0, "updated": 0, **counters}
    part = {"pid": 1, "rows": [row], "facts": {"armed": True, "stepped": True}}
    receipt = make_receipt(Settings(), [part], exit_code=exit_code)
    return list(receipt.problems), [text for _, text in receipt.notes]


@pytest.mark.parametrize("exit_code", [1, -15])
def test_a_program_that_was_stopped_may_have_been_so_before_an_update(exit_code):
    note = "gradients of 2 of 2 calls took part in no update"
    assert told(exit_code, count=2, flowed=2) == ([], [note])
    assert told(exit_code, count=3, flowed=2) == ([], [note])


@pytest.mark.parametrize("exit_code", [0, None])
def test_one_that_came_to_its_end_was_not(exit_code):
    for calls in (2, 3):
        assert told(exit_code, count=calls, flowed=2)[0] == ["a.py:1"]


def test_a_stop_explains_no_more_than_that():
    assert told(1, count=4, flowed=2)[0] == ["a.py:1"]
    assert told(1, count=2, flowed=2, zeroed=2)[0] == ["a.py:1"]
    assert told(1, count=2, flowed=0)[0] == ["a.py:1"]
    assert told(1, count=1, flowed=0)[0] == []


def receipt_of(*rows, facts=(), **settings):
    """A receipt of rows that say what differs from a call that was replaced ten times and always trained."""
    whole = {**CALL, "kind": "call", "callers": [], "built": [], "count": 10, "flowed": 10, "updated": 10, "skipped": 0}
    part = {"pid": 1, "rows": [{**whole, **row} for row in rows], "facts": {"armed": True, **dict(facts)}}
    return make_receipt(Settings(**settings), [part])


def test_replaced_calls_stand_first_and_those_that_were_never_called_nowhere():
    actions = ("leave", "refuse", "replace", "replace")
    rows = [{"site": f"a.py:{9 - i}", "action": action} for i, action in enumerate(actions)]
    receipt = receipt_of(*rows, {"site": "b.py:1", "count": 0})
    assert [row["site"] for row in receipt.sites] == ["a.py:6", "a.py:7", "a.py:8", "a.py:9"]
    assert receipt.replaced == 20


def test_words_that_no_call_answered_to_are_told():
    receipt = receipt_of({}, only=("a.py:1", "b.py:7"), skip=("c.py:9",))
    assert receipt.unmatched == ["b.py:7", "c.py:9"]


def test_a_success_has_no_problem_or_is_lenient():
    never = {"flowed": 0, "updated": 0}
    assert receipt_of({}).is_success
    assert not receipt_of(never).is_success
    assert receipt_of(never, lenient=True).is_success
    assert receipt_of(never, phase="both").is_success
    assert not receipt_of({"action": "leave", "updated": 0}, lenient=True).is_success


def test_updates_are_missed_only_where_an_optimiser_stepped():
    assert receipt_of({"updated": 0}).problems == {}
    assert list(receipt_of({"updated": 0}, facts={"stepped": True}).problems) == ["a.py:1"]


def test_gradients_off_the_formula_are_wrong():
    rows = [{"site": f"a.py:{i}", "error": error} for i, error in enumerate((1e-6, 1e-3, None))]
    assert receipt_of(*rows).wrong_gains == ["a.py:1"]


def test_the_loss_is_told_with_its_numbers():
    assert receipt_of({}, alpha=2.5, beta=0.5).as_dict()["loss"] == {"name": "crl", "alpha": 2.5, "beta": 0.5}


def test_the_first_values_stand_in_their_columns(capsys):
    show(receipt_of({"first_ce": 1.25, "first_loss": 2.5}), None)
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in capsys.readouterr().err.splitlines()]
    (row,) = [line for line in cells if line[0] == "a.py:1"]
    (place,) = [i for i, cell in enumerate(row) if cell.startswith("1.25")]
    assert row[place + 1].startswith("2.5")
