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


class Losses:
    """Gradients of a watched loss and of others, which the program puts in place."""

    def __init__(self, values=4):
        self.parameter = torch.nn.Parameter(torch.ones(values))
        self.watch = GradientWatch(self.parameter)

    def gradient(self, is_own, power):
        self.watch.is_own = is_own
        scale = torch.arange(1.0, 1 + len(self.parameter))
        (gradient,) = torch.autograd.grad((self.parameter * scale**power).sum(), self.parameter)
        return gradient

    def is_set(self, *shares):
        """Whether the sum of shares of the watched loss's gradient and of another one's is put there by hand for it."""
        own, others = self.gradient(True, 2), self.gradient(False, 1)
        self.parameter.grad = shares[0] * own + shares[1] * others
        return self.watch.is_set_by_hand()


@pytest.mark.parametrize(("shares", "is_its_own"), [((0.5, 0), True), ((0, 0.5), False), ((0.5, 0.5), True)])
def test_another_losss_gradient_alone_is_not_set_for_this_one(shares, is_its_own):
    assert Losses().is_set(*shares) is is_its_own


def test_one_number_is_like_any_other():
    assert Losses(values=1).is_set(0, 0.5)


def test_gradients_that_are_weighed_may_have_no_weight_at_times():
    losses = Losses()
    assert [losses.is_set(*shares) for shares in ((0, 1), (0.5, 0.5), (0, 1))] == [False, True, True]


@pytest.mark.parametrize(("shares", "is_its_own"), [((0.7, 0.3, 0), False), ((0.5, 0.3, 0.2), True)])
def test_a_mixture_of_other_losses_is_not_set_for_this_one(shares, is_its_own):
    losses = Losses(values=12)
    gradients = [losses.gradient(power == 3, power) for power in (1, 2, 3)]
    losses.parameter.grad = sum(share * gradient for share, gradient in zip(shares, gradients, strict=True))
    assert losses.watch.is_set_by_hand() is is_its_own


def test_the_watched_losss_gradient_is_its_own_though_another_one_is_like_it():
    losses = Losses()
    own, _ = losses.gradient(True, 2), losses.gradient(False, 2)
    losses.parameter.grad = 0.5 * own
    assert losses.watch.is_set_by_hand()
