"""What a linear layer computed, computed again from the graph; and which layers scored for a watched call."""

import pytest
import torch
from torch import nn

from finegrained_crl.retrofit.account.layers import first_layers_below, layers_among, scores_of
from finegrained_crl.retrofit.account.leaves import nodes_below

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
HEAD, HIDDEN = nn.Linear(4, 6), nn.Linear(3, 4)


@pytest.mark.parametrize(
    "score",
    [
        lambda: nn.Linear(3, 6)(X),
        lambda: HEAD(HIDDEN(X).tanh()),
        lambda: nn.Linear(3, 6, bias=False)(X),
        lambda: X @ nn.Parameter(torch.ones(3, 6)),
        lambda: HIDDEN(X).tanh() @ nn.Parameter(torch.ones(4, 6)),
    ],
)
def test_the_first_rows_are_the_layers_own(score):
    scores = score()
    layer = layers_among(nodes_below([scores.grad_fn], 100))[0]
    assert torch.allclose(scores_of(layer, 2).float(), scores[:2], atol=1e-6)


def test_only_the_nearest_layer_scored():
    hidden = HIDDEN(X)
    scores = 2 * HEAD(hidden.tanh())
    (layer,) = first_layers_below([scores.mean().grad_fn])
    assert layer is scores.grad_fn.next_functions[0][0]


def test_every_way_down_has_its_own():
    hidden = HIDDEN(X)
    scores = HEAD(hidden.tanh()).mean() + hidden.mean()
    assert hidden.grad_fn in first_layers_below([scores.grad_fn])
