"""Cross-entropies by hand that their gradients alone give away."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.retrofit.account.by_gradient import look_at_given, watch_layers, watch_softmaxes
from finegrained_crl.retrofit.account.uses import LOGITS, uses_of_values

GENERATOR = torch.Generator().manual_seed(0)
Z = torch.randn(8, 6, generator=GENERATOR)
Y = torch.tensor([0, 3, 2, 2, 5, 1, 0, 4])
HOT = F.one_hot(Y, 6).float()
TEACHER = torch.randn(8, 6, generator=GENERATOR).softmax(1)
ROWS = torch.arange(8)
BY_HAND = {
    "means apart": lambda z: z.logsumexp(1).mean() - z.gather(1, Y[:, None]).mean(),
    "a masked sum": lambda z: (z.logsumexp(1) - (z * HOT).sum(1)).mean(),
    "margins": lambda z: torch.logsumexp(z - (z * HOT).sum(1, keepdim=True), 1).mean(),
    "margins of shifted logits": lambda z: torch.logsumexp(z - 1 - (z * HOT).sum(1, keepdim=True), 1).mean(),
    "a product of probabilities": lambda z: -torch.log((z.softmax(1) * HOT).sum(1)).mean(),
    "one long vector": lambda z: -torch.vdot(z.log_softmax(1).flatten(), HOT.flatten()),
    "weights of rows": lambda z: (z.logsumexp(1) - (z * HOT).sum(1)) @ torch.rand(8, generator=GENERATOR),
    "some rows without a weight": lambda z: (z.logsumexp(1) - (z * HOT).sum(1))[2:].mean(),
    "smoothed": lambda z: -(0.9 * (z.log_softmax(1) / 8 * HOT).sum() + 0.1 * z.log_softmax(1).mean()),
    "focal": lambda z: ((1 - (z.softmax(1) * HOT).sum(1)) ** 2).mean(),
    "half precision": lambda z: -torch.log((z.bfloat16().softmax(1) * HOT.bfloat16()).sum(1)).mean(),
    "pixels": lambda z: -torch.log((z.T.reshape(1, 6, 2, 4).softmax(1) * HOT.T.reshape(1, 6, 2, 4)).sum(1)).mean(),
}
ELSE = {
    "entropy": lambda z: -(z.softmax(1) * z.log_softmax(1)).sum(1).mean(),
    "a teacher": lambda z: -(z.log_softmax(1) * TEACHER).sum(1).mean(),
    "the largest scores": lambda z: z.logsumexp(1).mean(),
    "attention": lambda z: (z.softmax(1) @ TEACHER.T).pow(2).mean(),
    "one expert per row": lambda z: (z.softmax(1)[ROWS, Y] * torch.tensor([1.0, -1, 1, 1, -1, 1, 1, 1])).mean(),
    "climbed": lambda z: (z * HOT).sum(1).mean() - z.logsumexp(1).mean(),
    "positives in the first column": lambda z: -torch.log(z.softmax(1) @ torch.eye(6)[:, :1]).mean(),
    "the batch's own samples": lambda z: -torch.log((z[:6].softmax(1) * torch.eye(6)).sum(1)).mean(),
    "three classes": lambda z: -torch.log((z[:, :3].softmax(1) * HOT[:, 3:]).sum(1) + 1e-3).mean(),
    "too few rows": lambda z: -torch.log((z[:3].softmax(1) * HOT[:3]).sum(1)).mean(),
    "logits that are known": lambda z: F.cross_entropy(z, Y),
}


def told(loss, of_a_watched_call=False):
    z = Z.clone().requires_grad_() * 1.0
    if of_a_watched_call:
        z.grad_fn.metadata[LOGITS] = True
    value, said = loss(z), []
    watch_softmaxes(uses_of_values((value,)).nodes, LOGITS, said.append, said.append)
    value.backward()
    return bool(said)


@pytest.mark.parametrize("name", BY_HAND)
def test_it_is_known_by_its_gradient(name):
    assert told(BY_HAND[name])


@pytest.mark.parametrize("name", [name for name in ELSE if name != "logits that are known"])
def test_other_losses_are_not(name):
    assert not told(ELSE[name])


def test_a_watched_loss_is_not_told_again():
    assert told(BY_HAND["means apart"])
    assert not told(BY_HAND["means apart"], of_a_watched_call=True)


def test_a_graph_that_was_freed_is_no_hindrance():
    z = Z.clone().requires_grad_()
    loss = BY_HAND["one long vector"](z)
    nodes = uses_of_values((loss,)).nodes
    loss.backward()
    told = []
    watch_softmaxes(nodes, LOGITS, told.append, told.append)
    assert told == []


WITHOUT_A_SOFTMAX = {
    "log1p": lambda z: ((z - z[ROWS, Y][:, None]).exp() * (1 - HOT)).sum(1).log1p().mean(),
    "softplus": lambda z: F.softplus(z.masked_fill(HOT > 0, -torch.inf).logsumexp(1) - z[ROWS, Y]).mean(),
    "constants": lambda z: (z * (z.detach().softmax(1) - HOT)).sum(),
}


def told_at_layer(loss, scored=False):
    """Whether a layer's output shows it."""
    layer = torch.nn.Linear(8, 6)
    with torch.no_grad():
        layer.weight.copy_(Z.T)
    z, said = layer(torch.eye(8)), []
    if scored:
        z.grad_fn.metadata[LOGITS] = True
    value = loss(z)
    watch_layers(uses_of_values((value,)).nodes, LOGITS, said.append, said.append)
    value.backward()
    return bool(said)


@pytest.mark.parametrize("loss", [*WITHOUT_A_SOFTMAX.values(), BY_HAND["means apart"], BY_HAND["smoothed"]])
def test_a_layers_output_shows_it_without_a_softmax(loss):
    assert told_at_layer(loss)
    assert not told_at_layer(loss, scored=True)


@pytest.mark.parametrize("name", [name for name in ELSE if name != "logits that are known"])
def test_other_losses_of_a_layers_output_are_not_told(name):
    assert not told_at_layer(ELSE[name])


@pytest.mark.parametrize(
    ("given", "is_told"),
    [
        (Z.softmax(1) - HOT, True),
        (Z.softmax(1) - TEACHER, False),
        (HOT - Z.softmax(1), False),
        ((Z.softmax(1) - HOT).T, False),
        (None, False),
    ],
)
def test_a_gradient_that_a_pass_starts_from_shows_it(given, is_told):
    said = []
    look_at_given([Z], [given], LOGITS, said.append, said.append)
    assert bool(said) is is_told


def test_gradients_of_watched_scores_may_be_given():
    said, z = [], Z.clone().requires_grad_() * 1.0
    z.grad_fn.metadata[LOGITS] = True
    look_at_given([z], [Z.softmax(1) - HOT], LOGITS, said.append, said.append)
    assert said == []
