"""What the graph above a value says."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.retrofit.account.uses import MARK, uses_of_values

Y = torch.tensor([0, 1, 2])
W = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)


def loss():
    value = F.cross_entropy(torch.eye(3, requires_grad=True) * 2, Y, reduction="none")
    value.grad_fn.metadata[MARK] = "mark"
    return value


LINEAR = {
    "mean": lambda v: v.mean(),
    "weighted": lambda v: (v * W).sum() / W.sum(),
    "dotted": lambda v: v @ W,
    "chosen": lambda v: v.topk(2)[0].mean() + v[v > 0].sum(),
    "stacked": lambda v: torch.stack([v, 2 * v]).reshape(-1)[1:].max(),
    "uncertainty": lambda v: (torch.exp(-W) * v + W).sum(),
}
CURVED = {
    "focal": (lambda v: ((1 - torch.exp(-v)) ** 2 * v).sum(), "focal loss"),
    "perplexity": (lambda v: v.mean().exp(), "perplexity"),
    "crl": (lambda v: (v + torch.log(2.5 - torch.exp(-v))).sum(), "computes CRL"),
    "product": (lambda v: (v * v).sum(), "function of itself"),
    "quotient": (lambda v: (W / v).sum(), "function of itself"),
    "dot": (lambda v: v @ v, "function of itself"),
    "sigmoid": (lambda v: v.sigmoid().sum(), "through Sigmoid"),
}


@pytest.mark.parametrize("name", LINEAR)
def test_sums_weights_and_choices_leave_a_loss_what_it_is(name):
    assert uses_of_values((LINEAR[name](loss()),)).values == [("mark", "")]


@pytest.mark.parametrize("name", CURVED)
def test_a_function_of_the_value_is_an_ingredient(name):
    compute, text = CURVED[name]
    ((mark, reason),) = uses_of_values((compute(loss()),)).values
    assert (mark, text in reason) == ("mark", True), reason


def test_what_no_hook_saw_is_told():
    scores = torch.eye(3, requires_grad=True) * 2
    assert "no hook sees" in uses_of_values((F.cross_entropy(scores, Y),)).unseen
    assert "by hand" in uses_of_values((-(-scores.log_softmax(1)).gather(1, Y[:, None]).mean(),)).unseen
    assert uses_of_values((loss().sum() + scores.log_softmax(1).sum(),)).unseen == ""
