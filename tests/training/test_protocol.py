"""What stands beside a number."""

from types import SimpleNamespace

import pandas as pd
import pytest

from finegrained_crl.training.protocol import describe_protocol
from finegrained_crl.training.recipe import Recipe


def protocol(subjects=("a", "b"), val=(0,), **settings):
    records = SimpleNamespace(protocol="made up", policy="all", table=pd.DataFrame({"subject": subjects}))
    parts = SimpleNamespace(train=range(7), val=val, test=range(5))
    return describe_protocol(
        SimpleNamespace(
            recipe=Recipe(**settings),
            records=records,
            parts=parts,
            leaks=["one"],
            scorer=SimpleNamespace(decoder="median"),
        )
    )


def test_every_line():
    assert protocol(views="flip", image_size=96, resize="squash", eval_resize_ratio=1.5, missing="skip") == {
        "text": "made up",
        "evaluated_on": "test",
        "policy": "all",
        "denominator": 5,
        "validation": "the data set's own",
        "views": "flip",
        "image_size": 96,
        "decoder": "median",
        "resize": "squash",
        "eval_resize_ratio": 1.5,
        "weights_evaluated": "trained",
        "missing_images": "skip",
        "allow_leaks": False,
        "leaks": ["one"],
    }


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"fold": 0}, "evaluated_on", "fold 0"),
        ({"split": "val"}, "evaluated_on", "val"),
        ({"ema": 0.9}, "weights_evaluated", "exponential moving average"),
        ({"allow_leaks": True}, "allow_leaks", True),
        ({"val_fraction": 0.25, "seed": 3}, "validation", "0.25 of train, subject-exclusive, seed 3"),
        ({"val_fraction": 0.25, "subjects": ["a", None]}, "validation", "0.25 of train, stratified, seed 0"),
        ({"val": ()}, "validation", "none"),
    ],
)
def test_each_choice(settings, name, value):
    assert protocol(**settings)[name] == value
