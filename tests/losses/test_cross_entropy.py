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

    torch.testing.assert_close(LabelSmoothingLoss(0.1)(LOGITS, TARGET), LabelSmoothingCrossEntropy(0.1)(LOGITS, TARGET))
    assert repr(LabelSmoothingLoss()) == "LabelSmoothingLoss(epsilon=0.1)"
