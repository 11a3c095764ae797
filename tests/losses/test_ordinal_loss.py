"""What the bases of the ordinal losses hand on: weights, ignored labels, reductions, mixtures of labels."""

import pytest
import torch

from finegrained_crl.losses.catalogue import loss_class
from finegrained_crl.losses.ordinal_targets import expected_losses, sord_targets

LOGITS = torch.randn(5, 4, generator=torch.Generator().manual_seed(6))
LABELS = torch.tensor([0, 3, 1, 2, 2])
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 4.0])


@pytest.mark.parametrize("name", ["emd", "mean-variance", "sord", "crl-sord", "dldl", "crl-dldl", "cdw-ce"])
def test_every_option(name):
    own = loss_class(name)(reduction="none")(LOGITS, LABELS)
    assert own.shape == (5,)
    weights = WEIGHT[LABELS]
    torch.testing.assert_close(loss_class(name)()(LOGITS, LABELS), own.mean())
    torch.testing.assert_close(loss_class(name)(reduction="sum")(LOGITS, LABELS), own.sum())
    weighted = loss_class(name)(weight=WEIGHT)(LOGITS, LABELS)
    torch.testing.assert_close(weighted, (own * weights).sum() / weights.sum())
    torch.testing.assert_close(loss_class(name)(ignore_index=2)(LOGITS, LABELS), own[:3].mean())
    half = loss_class(name)()(LOGITS.half(), LABELS)
    assert half.dtype == torch.float32


def test_soft_targets_by_plain_loops():
    table, losses = torch.rand(4, 4, generator=torch.Generator().manual_seed(1)), LOGITS
    table = table / table.sum(1, keepdim=True)  # no row is its column: the one must not stand for the other
    mixture = torch.softmax(torch.randn(5, 4, generator=torch.Generator().manual_seed(3)), 1)
    by_label = [sum(table[y, k] * losses[i, k] for k in range(4)) for i, y in enumerate(LABELS)]
    mixed = [sum(mixture[i, y] * table[y, k] * losses[i, k] for y in range(4) for k in range(4)) for i in range(5)]
    torch.testing.assert_close(expected_losses(losses, LABELS, table, reduction="none"), torch.stack(by_label))
    torch.testing.assert_close(expected_losses(losses, mixture, table, reduction="none"), torch.stack(mixed))
    shares = mixture @ WEIGHT
    weighted = expected_losses(losses, mixture, table, WEIGHT, reduction="sum")
    torch.testing.assert_close(weighted, (torch.stack(mixed) * shares).sum())
    own = torch.stack(by_label) * WEIGHT[LABELS]
    torch.testing.assert_close(expected_losses(losses, LABELS, table, WEIGHT), own.sum() / WEIGHT[LABELS].sum())


def test_distances_of_soft_labels():
    steps = torch.tensor([[0.0, 1, 2], [1, 0, 1], [2, 1, 0]])
    torch.testing.assert_close(sord_targets(3, 0.5), torch.softmax(-0.5 * steps, 1))
    torch.testing.assert_close(sord_targets(3, 0.5, "squared"), torch.softmax(-0.5 * steps**2, 1))
