"""What the judge says of a row: counters against the decision, one sentence for each contradiction."""

import pytest

from finegrained_crl.retrofit.account.judge import Run, problems_of

ROW = {
    "site": "a.py:1", "action": "replace", "reason": "r", "count": 10, "skipped": 0, "flowed": 10, "updated": 10,
}  # fmt: skip
NEVER = {"flowed": 0, "updated": 0}
WHOLE = Run("train", has_stepped=True, is_stopped=False)


def problem(facts, phase="train", has_stepped=True):
    return problems_of([{**ROW, **facts}], Run(phase, has_stepped, is_stopped=False)).get("a.py:1", "")


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"ingredient": "a log-softmax"}, "NOT A LOSS THERE: a log-softmax"),
        (NEVER, "REPLACED AND NEVER TRAINED: no backward pass reached parameters through any of 10 calls"),
        ({"flowed": 9, "updated": 9}, "REPLACED IN EVALUATION: no backward pass went through 1 of 10 replaced calls"),
        ({"flowed": 7, "skipped": 2}, "REPLACED IN EVALUATION: no backward pass went through 1 of 8 replaced calls"),
        ({"updated": 0}, "REPLACED, NEVER IN AN UPDATE: gradients flowed through 10 calls"),
        ({"updated": 6, "discarded": 4}, "REPLACED, AND NOT ALWAYS IN AN UPDATE: the gradients of 4 of 10 calls"),
        (
            {"action": "leave", "reason": "no role", "updated": 3},
            "LEFT AND YET TRAINED: left as `no role`, but gradients of 3 of its 10 calls",
        ),
        ({"action": "refuse", "updated": 3}, "REFUSED, SO IT TRAINED WITH THE PROGRAM'S OWN LOSS: r"),
        ({"action": "refuse", "compiled": True, **NEVER}, "REFUSED, SO IT TRAINED WITH THE PROGRAM'S OWN LOSS: r"),
        ({"action": "refuse", "reason": "inside torch.vmap", **NEVER}, "REFUSED, SO IT TRAINED"),
        ({"action": "refuse", "unseen": True}, "TRAINED WITH THE PROGRAM'S OWN LOSS: r, which stays what it is"),
    ],
)
def test_a_contradiction_is_said(facts, says):
    assert problem(facts).startswith(says)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"flowed": 8, "updated": 8, "skipped": 2},
        {**NEVER, "skipped": 10},
        {**NEVER, "takes_evaluation": True},
        {"updated": 0, "reason": "--only a.py:1"},
        {"updated": 6, "discarded": 4, "reason": "--only a.py:1"},
        *({"action": "leave", "reason": reason, "updated": 3} for reason in ("--skip a.py:1", "not named by --only")),
        *(
            {"action": "leave", "reason": f"{role}: its targets", "updated": 3}
            for role in ("distillation", "contrastive")
        ),
        {"action": "leave", "reason": "no role", "updated": 0},
        {"action": "refuse", **NEVER},
    ],
)
def test_what_was_decided_and_happened_is_no_problem(facts):
    assert problem(facts) == ""


def test_updates_are_asked_for_only_where_there_were_some():
    for facts in ({"updated": 0}, {"updated": 6, "discarded": 4}):
        assert problem(facts, has_stepped=False) == ""
    assert problem({"flowed": 9, "updated": 0}, has_stepped=False).startswith("REPLACED IN EVALUATION")


@pytest.mark.parametrize("phase", ["eval", "both"])
def test_evaluation_that_was_asked_for_is_no_problem(phase):
    assert problem(NEVER, phase) == ""


def test_of_a_row_without_counters_nothing_is_said():
    counters = ("flowed", "updated", "skipped")
    assert problems_of([{name: value for name, value in ROW.items() if name not in counters}], WHOLE) == {}


def test_problems_of_one_site_are_said_together_and_each_once():
    rows = [{**ROW, "updated": 0}, {**ROW, "updated": 0}, {**ROW, **NEVER}, {**ROW, "site": "b.py:2"}]
    told = problems_of(rows, WHOLE)
    assert list(told) == ["a.py:1"]
    first, second = told["a.py:1"].split("; and ")
    assert (first[:24], second[:26]) == ("REPLACED, NEVER IN AN UP", "REPLACED AND NEVER TRAINED")
