"""`auto`: the combinations are the asked ones, the model stays as it was."""

import pytest
import torch

from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.speed import choose, combinations
from finegrained_crl.training.trainee import Trainee
from finegrained_crl_plugins.resnet.method import ResNet

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "layout", "count"),
    [("auto", "auto", 4), ("fp32", "auto", 2), ("auto", "contiguous", 2), ("bf16", "channels_last", 1)],
)
def test_auto_opens_only_what_was_left_open(precision, layout, count):
    found = combinations(Recipe(precision=precision, memory_format=layout), CPU)
    assert len(found) == count
    assert all(p in ("fp32", "bf16") and (layout in ("auto", f)) for p, f in found)


def test_timing_changes_nothing_and_sorts_by_speed():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 3, "none", 0.0, 0.0, 32))
    trainee = Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))
    before = {k: v.clone() for k, v in trainee.state_dict().items()}
    timings = choose(trainee, Recipe(precision="auto", memory_format="auto", image_size=32, batch_size=4), CPU, 3)
    assert [t.seconds for t in timings] == sorted(t.seconds for t in timings)
    assert {(t.precision, t.memory_format) for t in timings} == set(
        combinations(Recipe(precision="auto", memory_format="auto"), CPU)
    )
    assert all(torch.equal(v, before[k]) for k, v in trainee.state_dict().items())
