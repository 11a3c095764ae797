"""Heads trained together end where each ends alone."""

import numpy as np
import pytest
import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.catalogue import build_criterion
from finegrained_crl.probes.heads import Head, Training, bytes_per_head, check_loss, train_heads
from finegrained_crl.training.recipe import Component
from finegrained_crl.training.targets import smooth_targets

FEATURES, CLASSES, UPDATES = 12, 5, 30
LOSSES = [
    Component("ce"),
    Component("crl", {"alpha": 1.5, "beta": 1.0}),
    Component("crl", {"alpha": 0.5, "beta": 2.0}),
    Component("poly1", {"epsilon": 0.7}),
    Component("soft-margin"),
]
HEADS = [Head(loss, lr, decay) for lr in (0.3, 0.05) for loss in LOSSES for decay in (0.0, 0.01)]


def training(**changes):
    settings = {
        "num_classes": CLASSES, "hidden": 0, "optimizer": "sgd", "momentum": 0.9, "schedule": "cosine", "warmup": 4,
        "updates": UPDATES, "label_smoothing": 0.0, "seed": 7,
    }  # fmt: skip
    return Training(**{**settings, **changes})


def batches():
    random = torch.Generator().manual_seed(0)
    for _ in range(UPDATES):
        yield torch.randn(16, FEATURES, generator=random), torch.randint(0, CLASSES, (16,), generator=random)


def alone(head, how):
    """The same head by plain torch: one module, one optimiser, one loss."""
    torch.manual_seed(how.seed)
    last = nn.Linear(how.hidden or FEATURES, CLASSES)
    net = nn.Sequential(nn.Linear(FEATURES, how.hidden), nn.ReLU(), last) if how.hidden else last
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": head.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    kinds = {
        "sgd": lambda: torch.optim.SGD(groups, lr=head.lr, momentum=0.9, nesterov=True),
        "momentum": lambda: torch.optim.SGD(groups, lr=head.lr, momentum=0.9),
        "adamw": lambda: torch.optim.AdamW(groups, lr=head.lr),
    }
    optimizer = kinds[how.optimizer]()
    criterion = build_criterion(head.loss.name, head.loss.options, num_classes=CLASSES, feature_dim=FEATURES)
    for update, (inputs, labels) in enumerate(batches()):
        for group in optimizer.param_groups:
            group["lr"] = head.lr * how.rate(update)
        target = smooth_targets(labels, CLASSES, how.label_smoothing) if how.label_smoothing else labels
        optimizer.zero_grad()
        criterion(net(inputs), target).backward()
        optimizer.step()
    return net


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hidden": 6},
        {"optimizer": "momentum", "schedule": "constant", "warmup": 0},
        {"optimizer": "adamw", "hidden": 6},
        {"label_smoothing": 0.1},
    ],
    ids=str,
)
def test_every_head_equals_the_head_trained_alone(changes):
    how = training(**changes)
    predict = train_heads(HEADS, FEATURES, how, batches)
    inputs = torch.randn(9, FEATURES, generator=torch.Generator().manual_seed(1))
    together = predict(inputs)
    assert together.shape == (9, len(HEADS), CLASSES)
    for i, head in enumerate(HEADS):
        assert (together[:, i] - alone(head, how)(inputs)).abs().max() < 1e-5, head
    spread = together.std(dim=1)
    assert (spread > 1e-3).any()  # the heads are not one and the same


def test_the_rate_warms_up_and_ends_at_nothing():
    how = training()
    assert [how.rate(u) for u in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert how.rate(UPDATES) == pytest.approx(0, abs=1e-12)
    assert how.rate(4 + 13) == pytest.approx(0.5)
    assert training(schedule="constant").rate(20) == 1


def test_seeds_begin_elsewhere():
    inputs = torch.randn(3, FEATURES)
    first, second = (train_heads(HEADS[:1], FEATURES, training(seed=s, updates=0), lambda: iter(())) for s in (1, 2))
    assert not torch.allclose(first(inputs), second(inputs))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_losses_with_a_classifier_stand_beside_and_equal_themselves_alone(optimizer):
    how = training(optimizer=optimizer)
    owners = [
        Head(Component(loss), lr, decay) for loss in ("coral", "corn") for lr, decay in ((0.3, 0.0), (0.05, 0.01))
    ]
    heads = [owners[0], HEADS[0], *owners[1:], HEADS[1]]
    inputs = torch.randn(9, FEATURES, generator=torch.Generator().manual_seed(1))
    together = train_heads(heads, FEATURES, how, batches)(inputs)
    assert together.shape == (9, len(heads), CLASSES)
    for i, head in enumerate(heads):
        expected = owner_alone(head, how)(inputs) if head in owners else alone(head, how)(inputs)
        assert (together[:, i] - expected).abs().max() < 1e-4, head
    assert together[:, 0].exp().sum(1).allclose(torch.ones(9))


def owner_alone(head, how):
    """The loss with its classifier, by plain torch."""
    torch.manual_seed(how.seed)
    criterion = build_criterion(head.loss.name, {}, num_classes=CLASSES, feature_dim=FEATURES)
    parameters = list(criterion.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": head.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    if how.optimizer == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=head.lr)
    else:
        optimizer = torch.optim.SGD(groups, lr=head.lr, momentum=0.9, nesterov=True)
    for update, (inputs, labels) in enumerate(batches()):
        for group in optimizer.param_groups:
            group["lr"] = head.lr * how.rate(update)
        optimizer.zero_grad()
        criterion(inputs, labels).backward()
        optimizer.step()
    return lambda inputs: criterion.scores(inputs).detach()


@pytest.mark.parametrize(
    ("loss", "changes", "message"),
    [
        ("center", {}, "needs features"),
        ("pod", {}, "changes from epoch to epoch"),
        ("coral", {"hidden": 4}, "--hidden 0"),
        ("corn", {"label_smoothing": 0.1}, "--label-smoothing 0"),
    ],
)
def test_what_is_no_loss_of_a_head_is_refused(loss, changes, message):
    with pytest.raises(FinegrainedError, match=message):
        check_loss(Component(loss), CLASSES, FEATURES, **{"hidden": 0, "label_smoothing": 0.0, **changes})


def test_unknown_optimiser():
    with pytest.raises(FinegrainedError, match="a probe knows sgd, momentum, adamw"):
        train_heads(HEADS[:1], FEATURES, training(optimizer="lamb"), batches)


def test_memory_is_weights_gradients_and_state():
    assert bytes_per_head(1280, training(num_classes=27)) == 4 * 1280 * 27 * 3
    assert bytes_per_head(1280, training(num_classes=27, optimizer="adamw")) == 4 * 1280 * 27 * 4
    assert bytes_per_head(10, training(num_classes=3, hidden=8)) == 4 * (10 * 8 + 8 * 3) * 3
    assert np.isfinite(bytes_per_head(10, training()))
