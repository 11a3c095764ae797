"""The sentence of a study follows its verdict."""

import pandas as pd
import pytest

from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports.headline import MOST, headline

EXACT, NLL = find_figure("exact_accuracy"), find_figure("nll")


def a_row(**changes):
    row = {
        "variant": "crl", "baseline": "ce", "weights": "last", "figure": "exact_accuracy", "difference": 0.0123,
        "low": 0.004, "high": 0.0206, "verdict": "better", "p_holm": 0.0213, "runs_won": 0.61, "barred": "",
    }  # fmt: skip
    return {**row, **changes}


def said(*rows, figure=EXACT, rope=0.0):
    return headline(pd.DataFrame(rows), figure, "last", rope)


NUMBERS = (
    "+1.23 points, 95 % interval +0.40 to +2.06, p = 0.021; a new run of CRL beats a new run of CE in 61 % of cases."
)


@pytest.mark.parametrize(
    ("verdict", "rope", "words"),
    [
        ("better", 0.0, "CRL is better than CE in exact: "),
        ("better", 0.5, "CRL is better than CE in exact by more than 0.5 points: "),
        ("worse", 0.0, "CRL is worse than CE in exact: "),
        ("equivalent", 2.5, "CRL and CE are equivalent in exact: less than 2.5 points apart: "),
        ("cannot tell", 0.0, "This study cannot tell whether CRL or CE is better in exact: "),
        (
            "cannot tell",
            0.5,
            "This study cannot tell whether CRL and CE are more or less than 0.5 points apart in exact: ",
        ),
    ],
)
def test_words_follow_the_verdict(verdict, rope, words):
    (sentence,) = said(a_row(verdict=verdict), rope=rope)
    assert sentence.startswith(words)
    ends, won = NUMBERS.partition(", p = 0.021")[::2]
    p = {"equivalent": ""}.get(verdict, ", p = 0.021" + (f" for more than {rope:g} points" if rope else ""))
    assert sentence.endswith(ends + p + won)


def test_why_nothing_can_be_claimed_is_said_and_missing_numbers_are_left_out():
    why = "one seed: chance in training is not in this interval"
    none = float("nan")
    sentence = said(a_row(verdict="cannot tell", barred=why, low=none, high=none, p_holm=none))
    assert sentence == [f"This study cannot tell whether CRL or CE is better in exact ({why}): +1.23 points."]


def test_a_figure_that_is_no_share_keeps_its_unit():
    sentence = said(a_row(figure="nll", difference=-0.2, low=-0.3, high=-0.1), figure=NLL)[0]
    assert "in NLL: -0.200 nats, 95 % interval -0.300 to -0.100" in sentence


def test_only_the_headlines_figure_and_weights_are_told():
    rows = [a_row(), a_row(figure="nll"), a_row(weights="selected on validation")]
    assert len(said(*rows)) == 1
    assert headline(pd.DataFrame(), EXACT, "last", 0.0) == []


def test_many_comparisons_are_counted_and_claims_told():
    rows = [a_row(verdict="cannot tell") for _ in range(MOST)] + [a_row(variant="focal")]
    sentences = said(*rows)
    assert sentences[0] == "5 comparisons in exact %: 4 cannot tell, 1 better (p adjusted for 5)."
    assert sentences[1].startswith("focal is better than CE")
    assert len(sentences) == 2
