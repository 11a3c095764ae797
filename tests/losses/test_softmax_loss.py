"""The options that the bases hand on: each loss of the catalogue obeys each of PyTorch's, against sums by hand."""

import pytest
import torch

from finegrained_crl import CompetingRatioLoss
from finegrained_crl.losses.catalogue import LOSSES, loss_class
from finegrained_crl.losses.competing_ratio import competing_ratio_loss
from finegrained_crl.losses.softmax_loss import ClassLosses, FunctionOfCrossEntropy, SoftmaxLoss

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
LABELS = torch.tensor([0, 3, 1, 2, 2, 0])
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 4.0])


def has_all_options(name):
    try:
        return issubclass(loss_class(name), SoftmaxLoss)
    except ImportError:
        return False


NAMES = [name for name in LOSSES if has_all_options(name)]


def test_most_losses_are_looked_at():
    assert {"ce", "crl", "nllr", "focal", "poly1", "ovr-bce"} <= set(NAMES)


def made(name, **options):
    cls = loss_class(name)
    return cls(**({"num_classes": 4} if "num_classes" in cls.__init__.__code__.co_varnames else {}), **options)


def rows(name):
    """L(z, k) for every class k of every row."""
    columns = [made(name, reduction="none")(LOGITS, torch.full((6,), k)) for k in range(4)]
    return torch.stack(columns, 1)


@pytest.mark.parametrize("name", NAMES)
def test_every_option(name):
    table = rows(name)
    own, weights = table[torch.arange(6), LABELS], WEIGHT[LABELS]
    torch.testing.assert_close(made(name)(LOGITS, LABELS), own.mean())
    torch.testing.assert_close(made(name, reduction="sum")(LOGITS, LABELS), own.sum())
    kept = LABELS != 2
    torch.testing.assert_close(made(name, ignore_index=2)(LOGITS, LABELS), own[kept].mean())
    if name != "smoothing":  # it spreads over the classes by their weights
        torch.testing.assert_close(made(name, weight=WEIGHT)(LOGITS, LABELS), (own * weights).sum() / weights.sum())
        smoothed = 0.7 * own + 0.3 * table.mean(1)
        torch.testing.assert_close(made(name, label_smoothing=0.3)(LOGITS, LABELS), smoothed.mean())


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.5])
def test_the_floor_of_the_module_is_that_of_the_function(alpha):
    if alpha < 1:
        with pytest.warns(UserWarning, match="below sqrt"):
            module = CompetingRatioLoss(alpha, 1.0, subtract_floor=True)
    else:
        module = CompetingRatioLoss(alpha, 1.0, subtract_floor=True)
    found = module(LOGITS, LABELS)
    torch.testing.assert_close(found, competing_ratio_loss(LOGITS, LABELS, alpha, 1.0, subtract_floor=True))
    if alpha:
        plain = competing_ratio_loss(LOGITS, LABELS, alpha, 1.0)
        torch.testing.assert_close(plain - found, torch.tensor(alpha).log())


def test_bases_are_what_a_loss_says_of_itself():
    class Double(FunctionOfCrossEntropy):
        def term(self, ce):
            return 2 * ce

    class Negative(ClassLosses):
        def class_losses(self, logits):
            return -logits

    ce = torch.nn.functional.cross_entropy
    torch.testing.assert_close(Double(weight=WEIGHT)(LOGITS, LABELS), 2 * ce(LOGITS, LABELS, WEIGHT))
    torch.testing.assert_close(Negative()(LOGITS, LABELS), -LOGITS[torch.arange(6), LABELS].mean())
