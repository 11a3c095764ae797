"""NLLR, soft-margin softmax and the one-vs-rest BCE against plain formulas."""

import math

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import (
    NegativeLogLikelihoodRatioLoss,
    OneVsRestSoftmaxBCE,
    SoftMarginSoftmaxLoss,
)

DOUBLE = torch.float64
LOGITS, TARGET = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=DOUBLE), torch.arange(20) % 6
P, ONE_HOT = LOGITS.softmax(1), F.one_hot(TARGET, 6)


def gradient(loss, **settings):
    leaf = LOGITS.clone().requires_grad_()
    return torch.autograd.grad(loss(reduction="sum", **settings)(leaf, TARGET), leaf)[0]


def test_nllr_gradient_is_the_softmax_over_the_competitors():
    competitors = LOGITS.masked_fill(ONE_HOT.bool(), -math.inf).softmax(1)
    found = gradient(NegativeLogLikelihoodRatioLoss)
    torch.testing.assert_close(found, competitors - ONE_HOT)
    torch.testing.assert_close(found.abs().sum(1), torch.full((20,), 2.0, dtype=DOUBLE))


def test_nllr_of_two_classes_is_linear():
    logits = LOGITS[:, :2]
    torch.testing.assert_close(NegativeLogLikelihoodRatioLoss(reduction="none")(logits, TARGET % 2),
                               torch.where(TARGET % 2 == 0, logits[:, 1] - logits[:, 0],
                                           logits[:, 0] - logits[:, 1]))  # fmt: skip


def test_nllr_floor_stops_the_descent():
    logits = torch.tensor([[30.0, 0.0], [1.0, 0.0]], requires_grad=True)
    value = NegativeLogLikelihoodRatioLoss(floor=-5.0, reduction="none")(logits, torch.tensor([0, 0]))
    value.sum().backward()
    assert value.tolist() == [-5.0, -1.0]
    assert logits.grad.tolist() == [[0.0, 0.0], [-1.0, 1.0]]


@pytest.mark.parametrize(("gap", "loss", "slope"), [(20.0, -15.33, 0.0), (-20.0, 16.118, 0.0), (3.0, -3.0, -1.0)])
def test_nllr_clamp_is_the_authors_form(gap, loss, slope):
    logits = torch.tensor([[gap, 0.0]], requires_grad=True)
    value = NegativeLogLikelihoodRatioLoss(clamp=1e-7)(logits, torch.tensor([0]))
    value.backward()
    assert value.item() == pytest.approx(loss, abs=6e-3)
    assert logits.grad[0, 0].item() == pytest.approx(slope, abs=1e-4)


def test_nllr_refuses_two_floors_and_a_single_class():
    with pytest.raises(ValueError, match="give floor or clamp, not both"):
        NegativeLogLikelihoodRatioLoss(floor=-5.0, clamp=1e-7)
    with pytest.raises(ValueError, match=r"clamp must lie in \(0, 0.5\), got 0.6"):
        NegativeLogLikelihoodRatioLoss(clamp=0.6)
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        NegativeLogLikelihoodRatioLoss()(torch.zeros(1, 1), torch.tensor([0]))


@pytest.mark.parametrize("margin", [0.0, 0.5108, 3.0, 80.0])
def test_soft_margin_equals_its_fraction(margin):
    lowered = LOGITS - margin * ONE_HOT.double()
    expected = F.cross_entropy(lowered, TARGET, reduction="none")
    torch.testing.assert_close(SoftMarginSoftmaxLoss(margin, reduction="none")(LOGITS, TARGET), expected)
    torch.testing.assert_close(SoftMarginSoftmaxLoss(margin, reduction="none")(LOGITS, ONE_HOT.double()), expected)
    torch.testing.assert_close(gradient(SoftMarginSoftmaxLoss, margin=margin), lowered.softmax(1) - ONE_HOT)


def test_soft_margin_survives_large_equal_logits():
    value = SoftMarginSoftmaxLoss(0.5)(torch.full((1, 2), 1e4), torch.tensor([0]))
    assert value.item() == pytest.approx(math.log(1 + math.exp(0.5)), abs=1e-6)


def test_soft_margin_refuses_margins_outside_its_range():
    with pytest.raises(ValueError, match=r"margin must be >= 0, got -0.5"):
        SoftMarginSoftmaxLoss(-0.5)
    with pytest.raises(ValueError, match=r"margin must be in \[0, 80.0\], got 200.0"):
        SoftMarginSoftmaxLoss(200.0)


def test_one_vs_rest_equals_a_plain_loop_and_its_gradient():
    expected = [
        -math.log(p[c]) - sum(math.log(1 - q) for k, q in enumerate(p) if k != c)
        for p, c in zip(P.tolist(), TARGET.tolist(), strict=True)
    ]
    torch.testing.assert_close(
        OneVsRestSoftmaxBCE(reduction="none")(LOGITS, TARGET), torch.tensor(expected, dtype=DOUBLE)
    )
    r = P / (1 - P) * (1 - ONE_HOT)
    torch.testing.assert_close(gradient(OneVsRestSoftmaxBCE), P - ONE_HOT + r - P * r.sum(1, keepdim=True))


def test_one_vs_rest_of_two_classes_is_twice_cross_entropy():
    torch.testing.assert_close(
        OneVsRestSoftmaxBCE()(LOGITS[:, :2], TARGET % 2), 2 * F.cross_entropy(LOGITS[:, :2], TARGET % 2)
    )


def test_one_vs_rest_keeps_small_terms_beside_large_ones():
    value = OneVsRestSoftmaxBCE()(torch.tensor([[1e4, 0.0, 0.0]]), torch.tensor([0]))
    assert value.item() == 0.0
