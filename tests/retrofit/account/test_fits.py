"""Gradients of cross-entropies, and of losses that are none, by their numbers alone."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.retrofit.account.fits import is_of_binary, is_of_cross_entropy, is_of_table

GENERATOR = torch.Generator().manual_seed(0)
Z = torch.randn(16, 6, generator=GENERATOR)
Y = torch.arange(16) % 5
NEAR = (-(torch.arange(6.0)[:, None] - torch.arange(6.0)).square() / 3).softmax(1)
TEACHER = torch.randn(16, 6, generator=GENERATOR).softmax(1)
P = Z.softmax(1)
HALF = (torch.bfloat16, torch.float16)


@pytest.mark.parametrize("dtype", [torch.float32, *HALF])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_cross_entropy_fits_in_each_precision(dtype, smoothing):
    z = Z.to(dtype, copy=True).requires_grad_()
    F.cross_entropy(z, Y, label_smoothing=smoothing).backward()
    assert is_of_cross_entropy(z.grad, z.detach().double().softmax(1))


@pytest.mark.parametrize("dtype", [torch.float32, *HALF])
def test_a_teachers_scores_do_not(dtype):
    gradient = (P - TEACHER).to(dtype)
    assert not is_of_cross_entropy(gradient, P)
    assert not is_of_table(gradient, P)


@pytest.mark.parametrize("dtype", HALF)
def test_a_pull_at_the_target_alone_does_not_fit_in_half_precision(dtype):
    gradient = (1 / 6 - F.one_hot(Y, 6).float()).to(dtype)
    assert not is_of_cross_entropy(gradient, P)


def test_soft_targets_of_classes_fit_a_table():
    assert is_of_table((P - NEAR[Y]) / 16, P)
    assert is_of_table((P - NEAR[Y]) * (1.0 + Y[:, None]), P)


def test_a_teachers_scores_for_two_views_of_each_picture_are_no_table():
    assert not is_of_table(P - TEACHER[torch.arange(16) // 2], P)


@pytest.mark.parametrize(
    "gradient",
    [
        P - 1 / 6,
        P - NEAR[:1],
        NEAR[Y] - P,
        (P - NEAR[Y]) * torch.rand(16, 1, generator=GENERATOR),
        P * (P.log() - (P * P.log()).sum(1, keepdim=True)),
        (P - NEAR[Y])[:5],
    ],
    ids=["uniform", "one for all", "climbed", "weights of rows", "entropy", "a picture of each class"],
)
def test_no_others_do(gradient):
    assert not is_of_table(gradient, P[: len(gradient)])


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_one_logit_of_two_classes_fits(weight):
    z, t = Z[:, 0].clone().requires_grad_(), (Y > 1).float()
    F.binary_cross_entropy_with_logits(z, t, pos_weight=torch.tensor(weight)).backward()
    assert is_of_binary(z.grad, z.detach())


@pytest.mark.parametrize("loss", [lambda z: (z - Y).square().mean(), lambda z: F.softplus(-z).mean()])
def test_a_regression_or_one_class_alone_does_not(loss):
    z = Z[:, 0].clone().requires_grad_()
    loss(z).backward()
    assert not is_of_binary(z.grad, z.detach())
