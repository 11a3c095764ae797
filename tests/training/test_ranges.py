"""What each setting may be: both ends of each range, and what excludes what."""

import dataclasses
import math

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.ranges import RANGES, Range, check_recipe
from finegrained_crl.training.recipe import Component, Recipe

SOUND = Recipe(data="x", epochs=10**6)


def problems(**settings):
    try:
        check_recipe(SOUND.replace(**settings))
    except FinegrainedError as error:
        return str(error).split("; ")
    return []


def test_ends():
    assert [0 in Range(0), 0 in Range(0, low_closed=False), 1 in Range(0, 1), 1 in Range(0, 1, high_closed=False)] == [
        True,
        False,
        True,
        False,
    ]
    assert not any(value in Range(-math.inf) for value in (math.nan, math.inf, -math.inf))
    assert -1 not in Range(0, 1)
    assert 2 not in Range(0, 1)
    assert [str(r) for r in (Range(1), Range(0, low_closed=False), Range(0, 1, high_closed=False))] == [
        "at least 1",
        "above 0",
        "in [0, 1)",
    ]


LOW = {"min": 0.0, "share": 0.0}
EXPECTED = {
    **dict.fromkeys(("drop_rate", "drop_path_rate", "label_smoothing", "momentum", "ema"), "[0, 1)"),
    **dict.fromkeys(("hflip", "color_jitter", "erase"), "[0, 1]"),
    **dict.fromkeys(("crop_scale", "decay_rate"), "(0, 1]"),
    **dict.fromkeys(("resize_ratio", "eval_resize_ratio"), "[1, 16]"),
    **dict.fromkeys(("epochs", "batch_size", "accumulate", "decay_epochs"), "[1, inf"),
    **dict.fromkeys(("mixup", "cutmix", "lr", "head_lr", "weight_decay", "warmup_epochs", "min_lr"), "[0, inf"),
    **dict.fromkeys(("clip_grad", "early_stopping", "test_every", "fold", "pictures_per_class"), "[0, inf"),
    "val_fraction": "[0, 0.5]",
    "image_size": "[8, 8192]",
    "pad": "[0, 8192]",
    "rotate": "[0, 180]",
    "seed": f"[0, {2**32 - 1}]",
}


@pytest.mark.parametrize("name", RANGES)
def test_each_range(name):
    allowed, (low, high) = EXPECTED[name], EXPECTED[name][1:].rstrip(")]").split(", ")
    assert (RANGES[name].low, RANGES[name].high) == (float(low), float(high))
    assert RANGES[name].low_closed == (allowed[0] == "[")
    assert RANGES[name].high_closed == (allowed[-1] != ")")


def test_every_number_has_a_range():
    numbers = {f.name for f in dataclasses.fields(Recipe) if "float" in str(f.type) or "int" in str(f.type)}
    assert numbers - {"convert_images"} == set(RANGES)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"data": ""}, "--data is missing: give the folder (or CSV file) that holds the data set"),
        ({"split": "test", "fold": 0}, "give --split or --fold, not both"),
        ({"early_stopping": 1}, "--early-stopping needs a validation part"),
        ({"pad": 4, "crop_scale": 0.5}, "--pad is for a plain random crop: add --crop-scale 1"),
        ({"mixup": 0.1, "batch_size": 3}, "--batch-size must be even, got 3"),
        ({"cutmix": 0.1, "batch_size": 3}, "--batch-size must be even, got 3"),
        ({"label_smoothing": 0.1, "loss": Component("smoothing")}, "smooth twice"),
        ({"schedule": "step"}, "--schedule step needs one --decay-epochs number"),
        ({"schedule": "step", "decay_epochs": [1, 2]}, "--schedule step needs one --decay-epochs number"),
        ({"schedule": "multistep"}, "--schedule multistep needs --decay-epochs"),
        ({"epochs": 3, "warmup_epochs": 3}, "--warmup-epochs 3 must be less than --epochs 3"),
        ({"lr": float("nan")}, "--lr must be at least 0, got nan"),
        ({"decay_epochs": [1, 0]}, "--decay-epochs must be at least 1, got 0"),
        ({"freeze": ["a", ""]}, "--freeze: one of its values is empty"),
        ({"drop_rate": 1.0}, "--drop-rate must be in [0, 1), got 1.0"),
    ],
)
def test_conflicts(settings, problem):
    assert any(problem in text for text in problems(**settings)), problems(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": 1, "val_fraction": 0.5},
        {"mixup": 0.1, "batch_size": 4},
        {"batch_size": 3},
        {"schedule": "step", "decay_epochs": [3]},
        {"schedule": "multistep", "decay_epochs": [3, 4]},
        {"epochs": 3, "warmup_epochs": 2},
        {"label_smoothing": 0.1},
        {"loss": Component("smoothing")},
        {"split": "val"},
        {"fold": 0},
    ],
)
def test_no_conflict(settings):
    assert problems(**settings) == []


def test_all_problems_are_said_at_once():
    assert len(problems(lr=-1.0, ema=1.0, data="")) == 3
