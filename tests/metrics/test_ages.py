"""Ages in years: decoders and every figure against the same worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from known_set import softmax
from sklearn.metrics import mean_absolute_error

from finegrained_crl.metrics.ages import AgeScale, age_truth, decode_ages, joined_answers, scale_from_dict
from finegrained_crl.metrics.catalogue import (
    FIGURES,
    all_figures,
    figures_for,
    find_figure,
    make_scores,
    order_of,
    primary_figure,
)

SCALE = AgeScale(10, 69, ((10, 14), (18, 30), (40, 69)))
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, 60, 50)
LOGITS = RANDOM.normal(size=(50, 60)) - 0.01 * (np.arange(60) - (LABELS + RANDOM.normal(0, 6, 50))[:, None]) ** 2
ROWS = pd.DataFrame({"label": LABELS, "age": LABELS + 10.25, "age_spread": np.where(LABELS % 7, 2.5, np.nan)})


def scores(decoder="mean", rows=ROWS):
    return make_scores(LOGITS, LABELS, decoder, ages=age_truth(rows, SCALE))


@pytest.mark.parametrize("decoder", ["mean", "median", "argmax"])
def test_figures_are_those_by_hand(decoder):
    p, years, true = softmax(LOGITS), np.arange(10, 70), LABELS + 10.25
    cumulative = (p.cumsum(1) >= 0.5).argmax(1)
    said = {"mean": p @ years, "median": years[cumulative], "argmax": years[p.argmax(1)]}[decoder]
    found = all_figures(scores(decoder), ordered=True, years=True)
    errors = np.abs(said - true)
    assert found["mae_years"] == pytest.approx(mean_absolute_error(true, said))
    for years_off in (3, 5, 10):
        assert found[f"cumulative_score_{years_off}_years"] == pytest.approx(np.mean(errors <= years_off))
    known = LABELS % 7 > 0
    epsilon = 1 - np.exp(-(errors[known] ** 2) / (2 * 2.5**2))
    assert found["epsilon_error"] == pytest.approx(epsilon.mean())
    assert "exact_accuracy" not in found
    assert "mae_in_groups" not in found


def test_the_expected_age_is_not_rounded():
    said = decode_ages([[0.5, 0.5, 0.0]], AgeScale(30, 32), "mean")
    assert said.tolist() == [30.5]
    assert decode_ages([[0.2, 0.2, 0.6]], AgeScale(30, 32), "median").tolist() == [32.0]


def test_an_age_exactly_so_many_years_off_counts():
    truth = age_truth(pd.DataFrame({"label": [0, 0]}), AgeScale(20, 40))
    exact = make_scores(np.log(np.eye(21)[[3, 4]] + 1e-12), [0, 0], "argmax", ages=truth)
    assert find_figure("cumulative_score_3_years").value(exact) == 0.5


def by_groups(true, said, apart):
    """Shares by a plain loop."""
    counted = right = 0
    for age, answer in zip(true, said, strict=True):
        own = [i for i, (first, last) in enumerate(SCALE.groups) if first <= np.floor(age) <= last]
        if own:
            gaps = [
                max(first - answer, answer - last if np.floor(answer) > last else 0, 0) for first, last in SCALE.groups
            ]
            counted += 1
            right += abs(int(np.argmin(gaps)) - own[0]) <= apart
    return right / counted


@pytest.mark.parametrize(("name", "apart"), [("age_group_accuracy", 0), ("age_group_one_off_accuracy", 1)])
def test_groups_count_pictures_whose_age_is_in_one(name, apart):
    said = softmax(LOGITS) @ np.arange(10, 70)
    value = find_figure(name).value(scores())
    assert value == pytest.approx(by_groups(LABELS + 10.25, said, apart))
    assert 0.3 < value <= 1


def test_an_answer_between_two_groups_goes_to_the_nearest_one_and_the_younger_of_two():
    distances = AgeScale(0, 60, ((0, 2), (4, 6))).distances([2.9, 3.0, 3.6, 60.0])
    assert distances.argmin(1).tolist() == [0, 0, 1, 1]
    assert distances[0].tolist() == [0.0, pytest.approx(1.1)]


def test_agreeing_annotators_make_any_difference_an_error_of_one():
    truth = age_truth(pd.DataFrame({"label": [5, 5], "age_spread": [0.0, 0.0]}), AgeScale(0, 9))
    sure = make_scores(np.log(np.eye(10)[[5, 6]] + 1e-12), [5, 5], "argmax", ages=truth)
    assert find_figure("epsilon_error").value(sure) == 0.5


def test_figures_without_their_facts_are_left_out():
    bare = scores(rows=ROWS[["label"]])
    figures = all_figures(bare, ordered=True, years=True)
    assert "epsilon_error" not in figures
    assert bare.ages.truth.ages.tolist() == (LABELS + 10.0).tolist()
    no_groups = make_scores(LOGITS, LABELS, "mean", ages=age_truth(ROWS, AgeScale(10, 69)))
    assert "age_group_accuracy" not in all_figures(no_groups, ordered=True, years=True)
    assert np.isnan(find_figure("mae_years").value(make_scores(LOGITS, LABELS)))
    unknown = scores(rows=ROWS.assign(age_spread=np.nan))
    assert "epsilon_error" not in all_figures(unknown, ordered=True, years=True)


def test_years_have_figures_of_their_own_and_no_one_else_has_them():
    years = figures_for(60, ordered=True, years=True)
    assert [figure for figure in years if figure.ordered] == []
    assert {figure.name for figure in FIGURES if figure.years} <= {figure.name for figure in years}
    assert not any(figure.years for figure in figures_for(60, ordered=True))
    assert primary_figure(ordered=True, years=True).name == "mae_years"
    assert order_of({"ordered": True, "ages": SCALE.as_dict()}) == {"ordered": True, "years": True}
    assert order_of({"ordered": True}) == {"ordered": True, "years": False}


def test_a_scale_comes_back_from_its_file_as_it_was():
    assert scale_from_dict(SCALE.as_dict()) == SCALE
    assert scale_from_dict(None) is None
    assert age_truth(ROWS, None) is None


def test_parts_are_joined_and_picked():
    one, two = scores().ages, scores("argmax").ages
    both = joined_answers([one, two])
    assert both.pick(np.arange(100) >= 50).errors.tolist() == two.errors.tolist()
    assert both.pick(np.arange(3)).truth.spread.tolist()[1:] == one.truth.spread[1:3].tolist()
    assert joined_answers([one, None]) is None
    assert joined_answers([]) is None
