"""Counts of labelled answers: right ones, those among the first classes, those of a run that may abstain."""

import pytest

from finegrained_crl.cli.answer_table import LabelCount

NAMES = ["hen", "pheasant", "owl"]


def row(label, best, **more):
    return {"label": label, "top2_classes": "|".join(best), **more}


@pytest.fixture
def counted():
    """Five answers of six pictures, two of them withheld; a name is part of another one."""
    count = LabelCount(["hen", "moorhen", "owl"], top=2)
    rows = [
        row(0, ["hen", "owl"], abstained=False),
        row(1, ["moorhen", "owl"], abstained=False),
        row(2, ["owl", "hen"], abstained=False),
        row(0, ["hen", "owl"], abstained=True),
        row(2, ["owl", "hen"], abstained=True),
        row(2, ["owl", "hen"], abstained=False),
    ]
    count.add(["hen", "hen", "hen", "owl", "owl", "dodo"], rows)
    return count


def test_facts_are_counts(counted):
    expected = {"labelled": 5, "right": 2, "in_top2": 4, "answered": 3, "answered_right": 1, "labels_unknown": 1}
    assert counted.facts() == expected
    assert LabelCount(NAMES, 2).facts() is None


def test_words_are_shares(counted):
    assert counted.text() == (
        "2 of 5 labelled pictures are right (40.00 %), 80.00 % among the first 2; 3 answered, 33.33 % of these right;"
        " 1 labels are no class of the run"
    )


def test_ages_are_off_by_their_mean():
    count = LabelCount(["20", "30"], top=2)
    count.add(["20", "30"], [row(0, ["20", "30"], age=21.0), row(0, ["20", "30"], age=26.0)])
    assert count.facts()["mae_years"] == 2.5
    assert count.text().endswith("2.50 years off on average")


def test_where_all_abstain_no_share_is_made_up():
    count = LabelCount(NAMES, top=2)
    count.add(["hen"], [row(0, ["hen", "owl"], abstained=True)])
    assert "0 answered, nan % of these right" in count.text()
