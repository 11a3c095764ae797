"""Dual and tamed cross-entropy, whose formulas are reconstructed: the code is what its docstring says, and says that it
is."""

import math

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import (
    DualCrossEntropyLoss,
    TamedCrossEntropyLoss,
    loss_class,
    summary_of,
)

DOUBLE = torch.float64
LOGITS, TARGET = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=DOUBLE), torch.arange(20) % 6
P = LOGITS.softmax(1)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.2, 0.7), (3.0, 0.0)])
def test_dual_equals_a_plain_loop(alpha, beta):
    expected = [
        -math.log(p[c]) + beta * sum(math.log(alpha + q) for k, q in enumerate(p) if k != c)
        for p, c in zip(P.tolist(), TARGET.tolist(), strict=True)
    ]
    torch.testing.assert_close(
        DualCrossEntropyLoss(alpha, beta, reduction="none")(LOGITS, TARGET), torch.tensor(expected, dtype=DOUBLE)
    )


def test_dual_gradient():
    leaf = LOGITS.clone().requires_grad_()
    (found,) = torch.autograd.grad(DualCrossEntropyLoss(0.5, 0.8, reduction="sum")(leaf, TARGET), leaf)
    one_hot = F.one_hot(TARGET, 6)
    t = 0.8 * P / (0.5 + P) * (1 - one_hot)
    torch.testing.assert_close(found, P - one_hot + t - P * t.sum(1, keepdim=True))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 1.7])
def test_tamed_equals_a_plain_loop_and_its_gain(alpha):
    leaf = LOGITS.clone().requires_grad_()
    value = TamedCrossEntropyLoss(alpha, reduction="none")(leaf, TARGET)
    own = P.gather(1, TARGET.unsqueeze(1)).squeeze(1)
    distance = 1 - own.log()
    expected = distance.log() if alpha == 1 else (distance ** (1 - alpha) - 1) / (1 - alpha)
    torch.testing.assert_close(value, expected)
    (found,) = torch.autograd.grad(value.sum(), leaf)
    torch.testing.assert_close(found, (distance**-alpha).unsqueeze(1) * (P - F.one_hot(TARGET, 6)))


def test_tamed_is_continuous_at_one():
    torch.testing.assert_close(
        TamedCrossEntropyLoss(1 + 1e-9)(LOGITS, TARGET), TamedCrossEntropyLoss(1.0)(LOGITS, TARGET)
    )


@pytest.mark.parametrize("name", ["dual-ce", "tamed-ce"])
def test_says_that_it_is_reconstructed(name):
    assert "reconstructed" in summary_of(name)
    assert "Reconstructed after" in loss_class(name).__doc__


def test_refuses_bad_settings():
    with pytest.raises(ValueError, match="alpha must be > 0, got 0"):
        DualCrossEntropyLoss(alpha=0)
    with pytest.raises(ValueError, match=r"alpha must be >= 0, got -0.1"):
        TamedCrossEntropyLoss(-0.1)
