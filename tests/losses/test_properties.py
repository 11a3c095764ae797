"""Properties that hold for every input, searched by hypothesis."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from finegrained_crl.losses import (
    LOSSES,
    CompetingRatioLoss,
    DualCrossEntropyLoss,
    FocalLoss,
    NegativeLogLikelihoodRatioLoss,
    OneVsRestSoftmaxBCE,
    PolyLoss,
    SoftMarginSoftmaxLoss,
    TamedCrossEntropyLoss,
    competing_ratio_loss,
    competing_ratio_losses,
)

LIKE_CROSS_ENTROPY = [
    CompetingRatioLoss,
    DualCrossEntropyLoss,
    FocalLoss,
    NegativeLogLikelihoodRatioLoss,
    OneVsRestSoftmaxBCE,
    PolyLoss,
    SoftMarginSoftmaxLoss,
    TamedCrossEntropyLoss,
]
DOUBLE = torch.float64
quick = settings(max_examples=30, deadline=None)


@st.composite
def batches(draw):
    size, classes = draw(st.integers(1, 5)), draw(st.integers(2, 6))
    numbers = st.floats(-30, 30, allow_nan=False)
    values = draw(st.lists(numbers, min_size=size * classes, max_size=size * classes))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size))
    return torch.tensor(values, dtype=DOUBLE).view(size, classes), torch.tensor(labels)


alphas = st.floats(0.01, 5)
betas = st.floats(0, 3)


@quick
@given(batches(), alphas, betas, st.floats(-1e3, 1e3))
def test_shift_invariance(batch, alpha, beta, shift):
    logits, target = batch
    torch.testing.assert_close(
        competing_ratio_loss(logits + shift, target, alpha, beta),
        competing_ratio_loss(logits, target, alpha, beta),
        atol=1e-9,
        rtol=1e-9,
    )


@quick
@given(batches(), alphas, betas, st.randoms(use_true_random=False))
def test_renaming_the_classes_changes_nothing(batch, alpha, beta, random):
    logits, target = batch
    order = list(range(logits.shape[1]))
    random.shuffle(order)
    renamed = torch.tensor([order.index(c) for c in target.tolist()])
    torch.testing.assert_close(
        competing_ratio_loss(logits[:, order], renamed, alpha, beta), competing_ratio_loss(logits, target, alpha, beta)
    )


@quick
@given(batches(), alphas, betas)
def test_mixture_identity(batch, alpha, beta):
    """CRL = (1 - beta) CE + beta SM(m) + beta log(alpha), m = log(1 + 1/alpha)."""
    logits, target = batch
    margin = SoftMarginSoftmaxLoss(math.log1p(1 / alpha))(logits, target)
    mixture = (1 - beta) * F.cross_entropy(logits, target) + beta * (margin + math.log(alpha))
    torch.testing.assert_close(competing_ratio_loss(logits, target, alpha, beta), mixture, atol=1e-10, rtol=1e-10)


@quick
@given(batches(), alphas, betas)
def test_the_floor_is_a_floor(batch, alpha, beta):
    logits, target = batch
    assert competing_ratio_loss(logits, target, alpha, beta, reduction="none").min() >= beta * math.log(alpha) - 1e-12


@quick
@given(batches(), alphas, st.floats(0, 3), st.floats(0, 3))
def test_linear_in_beta(batch, alpha, first, second):
    logits, target = batch
    average = (
        competing_ratio_loss(logits, target, alpha, first) + competing_ratio_loss(logits, target, alpha, second)
    ) / 2
    torch.testing.assert_close(
        competing_ratio_loss(logits, target, alpha, (first + second) / 2), average, atol=1e-10, rtol=1e-10
    )


@pytest.mark.parametrize("loss", LIKE_CROSS_ENTROPY, ids=lambda f: f.__name__)
@settings(max_examples=15, deadline=None)
@given(batch=batches(), smoothing=st.sampled_from([0.0, 0.1, 0.7]), seed=st.integers(0, 999), soft=st.booleans())
def test_reduction_algebra(loss, batch, smoothing, seed, soft):
    """Everything follows from the losses of single classes: sums, weights, smoothing, probabilities, ignored rows."""
    logits, target = batch
    size, classes = logits.shape
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(classes, generator=generator, dtype=DOUBLE) + 0.1
    single = torch.stack([loss(reduction="none")(logits, torch.full((size,), k)) for k in range(classes)], dim=1)
    if soft:
        goal = torch.rand(size, classes, generator=generator, dtype=DOUBLE).softmax(1)
        each = (((1 - smoothing) * goal + smoothing / classes) * weight * single).sum(1)
        divisor = torch.tensor(size, dtype=DOUBLE)
    else:
        goal = torch.where(torch.rand(size, generator=generator) < 0.3, -7, target)
        kept = goal != -7
        own = weight[target] * single.gather(1, target.unsqueeze(1)).squeeze(1)
        each = ((1 - smoothing) * own + smoothing / classes * (weight * single).sum(1)) * kept
        divisor = (weight[target] * kept).sum()
    options = {"weight": weight, "label_smoothing": smoothing, "ignore_index": -7}
    for reduction, expected in (("none", each), ("sum", each.sum()), ("mean", each.sum() / divisor)):
        found = loss(reduction=reduction, **options)(logits, goal)
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9, equal_nan=True)


@quick
@given(batches(), alphas, betas)
def test_extra_axes_are_a_longer_batch(batch, alpha, beta):
    logits, target = batch
    image = torch.stack([logits, logits.flip(0)], dim=2)  # (batch, classes, 2)
    labels = torch.stack([target, target.flip(0)], dim=1)
    torch.testing.assert_close(
        competing_ratio_loss(image, labels, alpha, beta),
        competing_ratio_loss(logits, target, alpha, beta),
        atol=1e-10,
        rtol=1e-10,
    )


@quick
@given(batches(), alphas)
def test_expansion_around_certainty(batch, alpha):
    """L = beta log(alpha) + sum_j [1/j + beta (-1)^(j+1) / (j alpha^j)] (1 - p)^j, for alpha >= 1 and p near 1."""
    alpha = 1 + alpha
    p = torch.tensor([0.8, 0.95, 0.999], dtype=DOUBLE)
    rest = 1 - p
    series = sum((1 / j + (-1) ** (j + 1) / (j * alpha**j)) * rest**j for j in range(1, 60)) + math.log(alpha)
    logits = torch.stack([p.log(), rest.log()], dim=1)
    torch.testing.assert_close(competing_ratio_losses(logits, alpha, 1.0)[:, 0], series)


def test_the_catalogue_lists_them():
    assert len(LOSSES) >= 25
