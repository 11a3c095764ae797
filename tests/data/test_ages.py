"""The words of a table of ages: range, groups, bins, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finegrained_crl.data.ages import (
    NAMED,
    age_groups,
    age_range,
    age_strata,
    bin_labels,
    bin_names,
    read_ages,
    read_spread,
    year_labels,
)
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.ages import AgeScale
from finegrained_crl_datasets.adience import GROUPS


def test_adiences_groups_are_those_of_its_reader():
    assert bin_names(NAMED["adience"]) == GROUPS


def test_labels_are_completed_years_and_bins():
    ages = np.array([3.0, 30.8, 7.0])
    assert year_labels(ages, AgeScale(3, 60)).tolist() == [0, 27, 4]
    assert bin_labels(ages, ((0, 2), (3, 6), (8, 31))).tolist() == [1, 2, -1]


@pytest.mark.parametrize("text", ["-3,100", "100,0", "0", "0,151", "a,b", "0,1.5", "5,5", ""])
def test_a_range_that_is_none(text):
    with pytest.raises(FinegrainedError, match="give the first and the last age, whole years from 0 to 150"):
        age_range(text)


@pytest.mark.parametrize("text", ["0", "0,3,3", "7,3", "0,3,101", "0,three", "-1,3"])
def test_bins_that_are_none(text):
    with pytest.raises(FinegrainedError, match=r"--dataset\.bins .*rising and up to 100.*or adience"):
        age_groups(text, 100, "--dataset.bins")


@pytest.mark.parametrize("cell", ["-3", "999", "young", "nan", "inf", "101.0", ""])
def test_an_age_that_is_none_is_named_with_its_row(cell):
    column = pd.Series(["5", cell, "1000"], name="age")
    with pytest.raises(FinegrainedError) as error:
        read_ages(column, 0, 100, Path("t.csv"))
    expected = f"t.csv: 'age' in row 3 and 1 more must be an age from 0 to 100 years, got '{cell}'; correct or remove"
    assert str(error.value).startswith(expected)
    assert "\n" not in str(error.value)


def test_both_ends_of_the_range_are_ages():
    assert read_ages(pd.Series(["0", "100.9"], name="age"), 0, 100, Path("t")).tolist() == [0.0, 100.9]


def test_spread_may_be_unknown_and_not_negative():
    spread = read_spread(pd.Series(["2.5", " ", "0"], name="sd"), Path("t"))
    assert spread.tolist()[::2] == [2.5, 0.0]
    assert np.isnan(spread[1])
    for cell in ("-1", "x", "inf"):
        with pytest.raises(FinegrainedError, match=f"'sd' in row 2 must be a standard deviation.*got '{cell}'"):
            read_spread(pd.Series([cell], name="sd"), Path("t"))


def test_strata_are_bands_of_ages_with_ten_people_each():
    ages = pd.Series(np.arange(100.0)[::-1])
    bands = age_strata(ages, pd.Series(range(100)))
    assert bands.value_counts().tolist() == [10] * 10
    assert bands.iloc[0] == "age band 10 of 10"
    assert bands.groupby(bands).apply(lambda band: ages[band.index].max() - ages[band.index].min()).eq(9).all()
    few = age_strata(ages, pd.Series(np.arange(100) % 12))
    assert set(few) == {"age band 1 of 1"}
