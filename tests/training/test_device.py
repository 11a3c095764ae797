"""The random state of a step, and layouts by name."""

import random

import numpy as np
import pytest
import torch

from finegrained_crl.training.device import memory_format, seed_step


def drawn(*key):
    seed_step(*key)
    return torch.rand(1).item(), np.random.rand(), random.random()


def test_a_step_is_seeded_by_its_whole_key():
    keys = [(1, 2, 3), (1, 2, 4), (1, 3, 3), (2, 2, 3), (1, 2, 3, 1), (1,)]
    for library in range(3):
        assert len({drawn(*key)[library] for key in keys}) == len(keys)
    assert drawn(1, 2, 3) == drawn(1, 2, 3)


@pytest.mark.parametrize(
    ("name", "form"), [("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)]
)
def test_layouts(name, form):
    assert memory_format(name) == form
