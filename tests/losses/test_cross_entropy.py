import torch
from torch import nn

from finegrained_crl.losses import CrossEntropyLoss, LabelSmoothingLoss

LOGITS, TARGET = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 6


def test_is_pytorchs_own():
    assert torch.equal(
        CrossEntropyLoss(label_smoothing=0.2)(LOGITS, TARGET), nn.CrossEntropyLoss(label_smoothing=0.2)(LOGITS, TARGET)
    )


def test_smoothing_equals_timm():
    from timm.loss import LabelSmoothingCrossEntropy

    for epsilon in (0.1, 0.3):
        expected = LabelSmoothingCrossEntropy(epsilon)(LOGITS, TARGET)
        torch.testing.assert_close(LabelSmoothingLoss(epsilon)(LOGITS, TARGET), expected)
    assert repr(LabelSmoothingLoss()) == "LabelSmoothingLoss(epsilon=0.1)"
