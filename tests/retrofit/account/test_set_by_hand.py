"""Gradients that a program writes itself are told from those that the engine left."""

import pytest
import torch

from finegrained_crl.retrofit.account.set_by_hand import GradientWatch


@pytest.fixture
def parameter():
    return torch.nn.Parameter(torch.ones(3))


def test_what_a_backward_pass_left_is_not_set_by_hand(parameter):
    watch = GradientWatch(parameter)
    for _ in range(2):
        (parameter.sum() * 2).backward()
    parameter.grad.mul_(0.5)  # clipping
    assert not watch.is_set_by_hand()


def test_a_gradient_in_its_place_is(parameter):
    watch = GradientWatch(parameter)
    parameter.sum().backward()
    parameter.grad = parameter.grad.clamp(max=0.1)
    assert watch.is_set_by_hand()


def test_nothing_is_set_where_there_is_no_gradient(parameter):
    watch = GradientWatch(parameter)
    parameter.sum().backward()
    parameter.grad = None
    assert not watch.is_set_by_hand()


@pytest.mark.parametrize(
    ("change", "is_added"),
    [
        (lambda g: g.mul_(0.01), False),
        (lambda g: g.zero_(), False),
        (lambda g: g.add_(torch.tensor([0.0, 1, 2])), True),
    ],
)
def test_a_gradient_that_is_added_to_has_another_direction(parameter, change, is_added):
    watch = GradientWatch(parameter)
    assert not watch.is_added_to()
    (parameter.sum() * 2).backward()
    change(parameter.grad)
    assert watch.is_added_to() is is_added
