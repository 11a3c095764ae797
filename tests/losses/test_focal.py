import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import FocalLoss

LOGITS, TARGET = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 6


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_equals_kornia(gamma):
    kornia = pytest.importorskip("kornia.losses")
    terms = kornia.focal_loss(
        LOGITS, TARGET, alpha=None, gamma=gamma, reduction="none"
    )  # (batch, classes), zero off the target
    torch.testing.assert_close(FocalLoss(gamma, reduction="none")(LOGITS, TARGET), terms.sum(1), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_gradient_is_the_gain_times_cross_entropys(gamma):
    leaf = LOGITS.double().requires_grad_()
    (found,) = torch.autograd.grad(FocalLoss(gamma, reduction="sum")(leaf, TARGET), leaf)
    p = leaf.detach().softmax(1)
    own = p.gather(1, TARGET.unsqueeze(1))
    gain = (1 - own) ** gamma - gamma * own * (1 - own) ** (gamma - 1) * own.log()
    torch.testing.assert_close(found, gain * (p - F.one_hot(TARGET, 6)), atol=1e-12, rtol=1e-10)


def test_published_gains():
    for p, gain in [(0.1, 1.2245), (0.5, 0.5966), (0.9, 0.0290), (0.99, 0.0003)]:
        logits = torch.tensor([[p, 1 - p]], dtype=torch.float64).log().requires_grad_()
        (found,) = torch.autograd.grad(FocalLoss()(logits, torch.tensor([0])), logits)
        assert found[0, 0].item() == pytest.approx(-gain * (1 - p), abs=1e-4)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_solved_samples_have_no_gradient(gamma):
    logits = torch.tensor([[200.0, 0.0], [30.0, 0.0]], requires_grad=True)
    FocalLoss(gamma)(logits, torch.tensor([0, 0])).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().max() < 1e-6


def test_gamma_zero_is_cross_entropy():
    torch.testing.assert_close(FocalLoss(0.0)(LOGITS, TARGET), F.cross_entropy(LOGITS, TARGET))


def test_refuses_a_negative_gamma():
    with pytest.raises(ValueError, match=r"gamma must be >= 0, got -1.0"):
        FocalLoss(-1.0)
