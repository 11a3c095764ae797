import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import PolyLoss, competing_ratio_loss

LOGITS, TARGET = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 6


@pytest.mark.parametrize("epsilon", [-1.0, 0.667, 2.0])
@pytest.mark.parametrize("soft", [False, True])
def test_equals_timm(epsilon, soft):
    from timm.loss import PolyCrossEntropy

    target = F.one_hot(TARGET, 6) * 0.8 + 0.2 / 6 if soft else TARGET
    torch.testing.assert_close(PolyLoss(epsilon)(LOGITS, target), PolyCrossEntropy(epsilon)(LOGITS, target))


def test_is_the_competing_ratio_to_first_order():
    p = torch.tensor([0.99, 0.999, 0.9999], dtype=torch.float64)
    logits = torch.stack([p.log(), (1 - p).log()], dim=1)
    target = torch.zeros(3, dtype=torch.long)
    difference = competing_ratio_loss(logits, target, reduction="none", subtract_floor=True) - PolyLoss(
        1 / 1.5, reduction="none"
    )(logits, target)
    assert (difference.abs() < (1 - p) ** 2).all()


def test_refuses_a_gradient_of_the_wrong_sign():
    with pytest.raises(ValueError, match=r"epsilon must be >= -1, got -1\.5"):
        PolyLoss(-1.5)
