"""Another loss than CRL where a program calls cross-entropy: with that call's options, each time, or refused."""

import pytest
import torch

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses import FocalLoss
from finegrained_crl.retrofit.losses.replacement import Replacement

LOGITS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 2, 3, 4, 0])
WEIGHT = torch.tensor([1.0, 2, 3, 4, 5])


@pytest.mark.parametrize(
    "options",
    [
        {"weight": WEIGHT},
        {"ignore_index": 0},
        {"reduction": "sum"},
        {"label_smoothing": 0.2},
    ],
)
def test_each_call_has_its_own_options(options):
    focal = Replacement("focal")
    plain = (None, -100, "mean", 0.0)
    asked = {"weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0} | options
    first = focal.on_logits(LOGITS, TARGET, *plain)
    assert torch.equal(first, FocalLoss()(LOGITS, TARGET))
    assert torch.equal(focal.on_logits(LOGITS, TARGET, *asked.values()), FocalLoss(**options)(LOGITS, TARGET))
    assert torch.equal(focal.on_logits(LOGITS, TARGET, *plain), first)


def test_an_option_that_the_loss_has_not_is_refused():
    distance = Replacement("emd")
    assert distance.on_logits(LOGITS, TARGET, None, -100, "mean", 0.0) > 0
    with pytest.raises(FinegrainedError, match="--loss emd has no label_smoothing, which the program sets here"):
        distance.on_logits(LOGITS, TARGET, None, -100, "mean", 0.1)
