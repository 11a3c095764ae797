"""Rows whose competitors are all at -inf (masked), for small alpha: value and gradient against 60 digits."""

import mpmath
import pytest
import torch

from finegrained_crl.losses import CompetingRatioLoss, NegativeLogLikelihoodRatioLoss, competing_ratio_losses

ALPHAS = [1e-30, 1e-12, 1e-7, 5e-4, 9.99e-4, 1.5]
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-13}


def exact(alpha, beta):
    """Loss at p = 1 and its gradient, g(p) (p - e_c) = 0."""
    with mpmath.workdps(60):
        return float(mpmath.mpf(beta) * mpmath.log(mpmath.mpf(alpha)))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_all_competitors_masked(alpha, beta, dtype):
    logits = torch.tensor([[-torch.inf, 3.0, -torch.inf], [0.3, 1.0, -0.2]], dtype=dtype, requires_grad=True)
    values = competing_ratio_losses(logits, alpha, beta)
    assert float(values.detach()[0, 1]) == pytest.approx(exact(alpha, beta), rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])
    (gradient,) = torch.autograd.grad(values[0, 1] + values[1, 0], logits)
    assert gradient[0].tolist() == [0.0, 0.0, 0.0]
    other = torch.tensor([[0.3, 1.0, -0.2]], dtype=dtype, requires_grad=True)
    (expected,) = torch.autograd.grad(competing_ratio_losses(other, alpha, beta)[0, 0], other)
    torch.testing.assert_close(gradient[1], expected[0], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:alpha")
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("alpha", [1e-12, 1e-7, 5e-4])
def test_near_loneliness(alpha, dtype):
    """Competitors far below the true class: 1 - p is far below the rounding of p, and the gradient is still exact."""
    logits = [12.0, -18.0, -20.0]
    with mpmath.workdps(60):
        exponentials = [mpmath.exp(z) for z in logits]
        p = [e / mpmath.fsum(exponentials) for e in exponentials]
        gain = 1 + p[0] / (mpmath.mpf(alpha) + p[1] + p[2])
        value = float(-mpmath.log(p[0]) + mpmath.log(mpmath.mpf(alpha) + p[1] + p[2]))
        slopes = [float(gain * -(p[1] + p[2])), float(gain * p[1]), float(gain * p[2])]
    leaf = torch.tensor([logits], dtype=dtype, requires_grad=True)
    loss = CompetingRatioLoss(alpha, 1.0)(leaf, torch.tensor([0]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(value, rel=TOLERANCE[dtype])
    assert leaf.grad[0].tolist() == pytest.approx(slopes, rel=20 * TOLERANCE[dtype])


@pytest.mark.filterwarnings("ignore:alpha")
def test_one_class_has_no_competitor():
    leaf = torch.zeros(2, 1, requires_grad=True)
    loss = CompetingRatioLoss(1e-6, 1.0)(leaf, torch.tensor([0, 0]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(exact(1e-6, 1.0))
    assert leaf.grad.tolist() == [[0.0], [0.0]]


def test_the_ratio_alone_says_minus_infinity():
    leaf = torch.tensor([[3.0, -torch.inf]], requires_grad=True)
    loss = NegativeLogLikelihoodRatioLoss()(leaf, torch.tensor([0]))
    loss.backward()
    assert float(loss.detach()) == -torch.inf
    assert leaf.grad.tolist() == [[0.0, 0.0]]
