"""A study file's plan: parts, scales, decays in proportion; mistakes are named."""

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.studies.study_file import read_study_file

TEXT = """
title: mine
settings: {epochs: 300, decay_epochs: [150, 225], lr: 0.1, seeds: [0, 1]}
parts:
  one: {dataset: cifar10}
  two: {dataset: svhn, epochs: 40, decay_epochs: [20, 30]}
scales:
  paper:
  short: {epochs: 4, seeds: [3]}
  single: {epochs: 1}
  own: {epochs: 10, decay_epochs: [7]}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT)
    return read_study_file("me/a", tmp_path / "a.yaml")


def test_a_part_as_printed(study):
    printed = {"epochs": 300, "decay_epochs": [150, 225], "lr": 0.1, "seeds": [0, 1], "dataset": "cifar10"}
    assert study.plan("one", "paper") == printed
    assert study.plan("two", "paper") == {**printed, "dataset": "svhn", "epochs": 40, "decay_epochs": [20, 30]}


def test_a_shorter_scale_moves_the_decays_in_proportion(study):
    plan = study.plan("one", "short")
    assert (plan["epochs"], plan["decay_epochs"], plan["seeds"]) == (4, [2, 3], [3])
    assert study.plan("two", "short")["decay_epochs"] == [2, 3]
    assert study.plan("one", "single")["decay_epochs"] == [1]


def test_a_scale_may_have_decays_of_its_own(study):
    assert study.plan("one", "own")["decay_epochs"] == [7]


@pytest.mark.parametrize(
    ("part", "scale", "problem"),
    [
        (None, "paper", "--study me/a has the parts one, two: choose one with --part"),
        ("tow", "paper", r"--part tow: me/a has no such part; did you mean 'two'\?"),
        ("one", "papre", r"--scale papre: did you mean 'paper'\?"),
    ],
)
def test_what_it_has_not(study, part, scale, problem):
    with pytest.raises(FinegrainedError, match=problem):
        study.plan(part, scale)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("parts: {a: {}}\nscales: {paper: {}}\nsetings: {}", r"unknown key 'setings'; did you mean 'settings'\?"),
        (
            "parts: {a: {}}\nscales: {paper: {}}\npublished: [{part: a, value: 3}]",
            "a published number needs exactly metric, part, value, variant, where",
        ),
        (
            "parts: {a: {}}\nscales: {paper: {}}\n"
            "published: [{part: b, variant: ce, metric: error, value: 3, where: x}]",
            "a published number of no part",
        ),
        (
            "parts: {a: {}}\nscales: {paper: {}}\nbeside: [{part: a, variant: ce, metric: top1, value: 3, where: x}]",
            "neither error nor accuracy",
        ),
        ("parts: {a: {}}", "a study needs parts, and scales of which one is 'paper'"),
        ("scales: {paper: {}}", "a study needs parts"),
        ("parts: [1]\nscales: {paper: {}}", "'parts' must be a mapping of mappings"),
        ("parts: {a: {}}\nscales: {paper: 3}", "'scales' must be a mapping of mappings"),
    ],
)
def test_malformed_files_are_one_line(tmp_path, text, problem):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(FinegrainedError, match=problem) as caught:
        read_study_file("me/a", tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)
