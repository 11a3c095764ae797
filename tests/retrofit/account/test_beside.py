"""What is said of losses beside the replaced calls."""

from finegrained_crl.retrofit.account.beside import beside

CALL = {"kind": "call", "site": "t.py:1", "action": "replace", "layer": "t.py:1", "looked": 3}
OTHER = {"kind": "other", "site": "t.py:9", "of": "t.py:1", "reason": "", "count": 4, "looked": 3, "updated": 2}


def said(*rows, has_choice=False):
    return beside(rows, has_choice=has_choice)


def test_another_loss_of_the_class_layer_is_a_note():
    problems, ((site, note),) = said(CALL, OTHER)
    assert (problems, site) == ({}, "t.py:9")
    assert "class scores of t.py:1 is also trained from here" in note
    assert "(4 backward passes, 3 of them" in note


def test_one_that_trains_it_most_of_the_time_is_a_problem():
    problems, notes = said(CALL, {**OTHER, "looked": 4})
    assert notes == []
    assert "in 4 backward passes against 3" in problems["t.py:9"]


def test_calls_of_several_sites_are_added_up():
    problems, notes = said(CALL, {**CALL, "site": "t.py:2"}, {**OTHER, "looked": 4})
    assert (problems, len(notes)) == ({}, 1)


def test_what_took_part_in_no_update_or_was_explained_is_not_told():
    assert said(CALL, {**OTHER, "updated": 0}) == ({}, [])
    assert said(CALL, OTHER, {"kind": "call", "site": "t.py:9", "unseen": True}) == ({}, [])


def test_passes_without_any_watched_loss_are_told_where_the_user_named_no_sites():
    alone = {**OTHER, "of": "", "looked": 9}
    assert "without any watched loss" in said(CALL, alone)[1][0][1]
    assert said(CALL, alone, has_choice=True) == ({}, [])


def test_a_binary_loss_is_told_by_its_own_words():
    assert said({**OTHER, "of": "", "reason": "one logit", "updated": 0})[1] == [("t.py:9", "one logit")]
