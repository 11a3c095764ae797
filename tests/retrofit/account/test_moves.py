"""How logits were moved between where they were computed and the loss."""

import pytest
import torch

from finegrained_crl.retrofit.account import moves
from finegrained_crl.retrofit.account.moves import moved, origin

SCALE = torch.nn.Parameter(torch.tensor(1.5))
MOVED = {
    "turned": lambda z: z.permute(0, 2, 1).reshape(-1, 4),
    "transposed": lambda z: z.transpose(1, 2),
    "some classes": lambda z: z[:, :3],
    "the last classes": lambda z: z[:, -2:],
    "every second class": lambda z: z[:, ::2],
    "one of several heads": lambda z: z[:, :, -1],
    "a temperature": lambda z: z / 2.0,
    "a scale from the left": lambda z: 30.0 * z,
    "a scale that is learned": lambda z: SCALE * z,
    "a temperature that is learned": lambda z: z / SCALE,
    "shifted by a constant": lambda z: z + torch.ones(6),
    "less a constant": lambda z: z - 0.5,
    "several": lambda z: 2 * (z[:, 1:] + 1)[:, :, 0].float(),
}
STOPPED = {
    "rows, which several losses may share": lambda z: z[1:],
    "one row": lambda z: z[0],
    "a factor per class": lambda z: z * torch.rand(6),
    "a factor of nothing": lambda z: z * 0.0,
    "the constant divided": lambda z: 1.0 / z,
    "shifted by what is learned": lambda z: z + SCALE,
    "spread over more rows": lambda z: z[:, :1] + torch.ones(3, 4, 6),
    "another function": lambda z: z.exp(),
}


@pytest.fixture
def logits():
    return torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()


def computed(logits):
    """A node of its own, as a classifier's output has."""
    return logits.tanh()


@pytest.mark.parametrize("name", MOVED)
def test_the_gradient_of_the_scores_is_found_in_that_of_the_logits(logits, name):
    z = computed(logits)
    z.retain_grad()
    scores = MOVED[name](z)
    node, number, steps = origin(scores)
    assert (node, number) == (z.grad_fn, 0)
    weights = torch.rand(scores.shape)
    (scores * weights).sum().backward()
    assert torch.allclose(moved(z.grad, steps), weights)


@pytest.mark.parametrize("name", STOPPED)
def test_what_is_no_such_move_is_where_logits_come_from(logits, name):
    z = computed(logits)
    node, _, _ = origin(STOPPED[name](z))
    assert node is not z.grad_fn


def test_large_gradients_are_not_copied(logits, monkeypatch):
    monkeypatch.setattr(moves, "LARGEST", 71)
    z = computed(logits)
    assert all(origin(MOVED[name](z))[0] is not z.grad_fn for name in ("some classes", "a temperature"))


def test_logits_that_are_a_leaf_have_an_origin(logits):
    node, _, steps = origin(logits / 4)
    assert (node.variable is logits, steps) == (True, [("scale", (0.25,))])
