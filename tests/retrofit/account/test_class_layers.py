"""The layer that computes class scores, and its weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finegrained_crl.retrofit.account.class_layers import layers_of_scores, users_of, weights_of
from finegrained_crl.retrofit.account.leaves import nodes_below

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
HIDDEN, HEAD = nn.Linear(3, 4), nn.Linear(4, 6)
PICTURES, CONVOLUTION = X.reshape(5, 3, 1, 1), nn.Conv2d(3, 6, 1)
NORMED = nn.utils.parametrizations.weight_norm(nn.Linear(3, 6))
LORA = nn.Parameter(torch.ones(6, 2)), nn.Parameter(torch.ones(2, 4))
HEADS = {
    "linear": (lambda: HEAD(HIDDEN(X).tanh()), [HEAD.weight]),
    "on frozen features": (lambda: HIDDEN(X), [HIDDEN.weight]),
    "scaled": (lambda: HEAD(HIDDEN(X).tanh()) / 0.1 + 1, [HEAD.weight]),
    "cosines": (lambda: 8 * F.linear(F.normalize(HIDDEN(X)), F.normalize(HEAD.weight)), [HEAD.weight]),
    "pooled": (lambda: CONVOLUTION(PICTURES).mean((2, 3)), [CONVOLUTION.weight]),
    "with a norm of weights": (lambda: NORMED(X), list(NORMED.parametrizations.weight.parameters())),
    "of low rank": (lambda: F.linear(HIDDEN(X), HEAD.weight + LORA[0] @ LORA[1]), [HEAD.weight, *LORA]),
    "behind a step that mixes": (lambda: HEAD(HIDDEN(X)).relu(), []),
}


@pytest.mark.parametrize("name", HEADS)
def test_its_weights_are_those_next_to_the_logits(name):
    score, weights = HEADS[name]
    held = [weight for layer in layers_of_scores(score().grad_fn) for weight in weights_of(layer)]
    assert {id(weight) for weight in held} == {id(weight) for weight in weights}


def test_a_penalty_of_weights_is_no_layer():
    weight = HEAD.weight
    penalty = (weight @ weight.T - torch.eye(6)).square().sum() + weight.square().sum()
    assert users_of(weight, nodes_below([penalty.grad_fn], 100)) == []


def test_each_pass_through_it_is_one_of_its_users():
    loss = HEAD(HIDDEN(X)).mean() + HEAD(HIDDEN(2 * X)).square().mean()
    assert len(users_of(HEAD.weight, nodes_below([loss.grad_fn], 100))) == 2
