"""The comparison of gradients: what fits, what does not, and which explanation is given."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import competing_ratio_loss
from finegrained_crl.retrofit.account.arrival import Options
from finegrained_crl.retrofit.account.misfit import Rows, judge
from finegrained_crl.retrofit.losses.gain import measure
from finegrained_crl.retrofit.losses.positions import ELEMENTS, ROWS, pick_rows, pick_targets, positions_of

GENERATOR = torch.Generator().manual_seed(0)
Z = 2 * torch.randn(20, 5, generator=GENERATOR)
Y = torch.arange(20) % 5
TEACHER = torch.randn(20, 5, generator=GENERATOR).softmax(1)


def finding(extra, factor=None, reduction="mean"):
    """What is found where `extra(logits)` is added to a mean CRL, or its rows have these factors."""
    logits = Z.clone().requires_grad_()
    rows = torch.full((20,), 1 / 20) if factor is None else factor
    (competing_ratio_loss(logits, Y, reduction="none") * rows).sum().backward()
    if extra is not None:
        extra(logits).backward()
    call = Rows(Z, Y, rows, Options(None, -100, 0.0, reduction), (1.5, 1.0), [])
    return judge(logits.grad, [call], torch.float32)


def probability(z):
    return z.softmax(1)[torch.arange(20), Y]


EXTRA = {
    "poly1": (lambda z: (1 - probability(z)).mean(), "refuse", "another function of the target's probability"),
    "ratio": (lambda z: torch.log(2.5 - probability(z)).mean(), "refuse", "another function"),
    "again": (lambda z: F.cross_entropy(z, Y), "refuse", "cross-entropy a second time"),
    "smoothing": (lambda z: -0.1 * z.log_softmax(1).mean(), "refuse", "label smoothing by hand"),
    "teacher": (lambda z: F.kl_div(z.log_softmax(1), TEACHER, reduction="batchmean"), "note", "another term"),
    "entropy": (lambda z: 0.1 * (z.softmax(1) * z.log_softmax(1)).sum(1).mean(), "note", "another term"),
}


def test_the_losss_own_gradient_fits():
    assert (finding(None).kind, finding(None).misfit < 1e-6) == ("fits", True)


@pytest.mark.parametrize("name", EXTRA)
def test_what_is_added_is_explained_by_its_direction(name):
    extra, kind, text = EXTRA[name]
    result = finding(extra)
    assert (result.kind, text in result.text) == (kind, True), result


def test_factors_may_be_weights_but_not_a_function_of_the_value():
    weights = torch.rand(20, generator=GENERATOR)
    assert finding(None, weights, "none").kind == "fits"
    focal = (1 - probability(Z)) ** 2
    assert "follow the loss's own value" in finding(None, focal, "none").text
    assert "negative factor" in finding(None, -weights, "none").text
    masked = weights * (Y > 0)
    assert (finding(None, masked, "none").kind, "4 of its rows" in finding(None, masked, "none").text) == ("note", True)


def compared(rows, target=Y, scores=Z, extra=None, gone=0):
    """What is found of rows with these factors, under "none"; the first `gone` get no gradient at the logits."""
    logits = scores.clone().requires_grad_()
    value = (competing_ratio_loss(logits, target, reduction="none") * rows).sum()
    (value if extra is None else value + extra(logits)).backward()
    actual = logits.grad.clone()
    actual[:gone] = 0
    return judge(actual, [Rows(scores, target, rows, Options(None, -100, 0.0, "none"), (1.5, 1.0), [])], torch.float32)


def test_two_losses_of_one_batch_are_added():
    logits, calls = Z.clone().requires_grad_(), []
    for target, share in ((Y, 0.3), (Y.flip(0), 0.7)):
        (share * competing_ratio_loss(logits, target)).backward()
        rows = torch.full((20,), share / 20)
        calls.append(Rows(Z, target, rows, Options(None, -100, 0.0, "mean"), (1.5, 1.0), []))
    assert judge(logits.grad, calls, torch.float32).kind == "fits"


def test_a_single_negative_factor_is_told():
    weights = torch.rand(20, generator=torch.Generator().manual_seed(1)) + 0.1
    weights[7] *= -1
    assert "negative factor" in compared(weights).text


def test_rows_without_a_label_say_nothing_of_the_factors():
    target = torch.where(torch.arange(20) % 4 == 0, -100, Y)
    focal = (1 - probability(Z)) ** 2
    factors = torch.where(target == -100, torch.rand(20, generator=torch.Generator().manual_seed(1)), focal)
    assert "follow the loss's own value" in compared(factors, target).text


def test_weights_of_classes_may_follow_how_well_these_are_known():
    p = 0.1 + 0.15 * Y + 0.005 * (torch.arange(20) // 5)
    scores = torch.where(F.one_hot(Y, 5) == 1, p[:, None], (1 - p[:, None]) / 4).log()
    assert compared((1.0 + Y) / 60, scores=scores).kind == "fits"
    assert "follow the loss's own value" in compared(p, scores=scores).text


def test_rows_without_a_gradient_at_the_logits_are_a_note():
    result = compared(torch.full((20,), 0.05), gone=4)
    assert (result.kind, result.text) == ("note", "4 of 20 rows get no gradient at the logits (a mask)")


def test_smoothing_by_hand_is_known_whatever_the_rows_weigh():
    weights = torch.rand(20, generator=torch.Generator().manual_seed(1)) + 0.1
    result = compared(weights, extra=lambda z: -0.1 * (weights * z.log_softmax(1).mean(1)).sum())
    assert "label smoothing by hand" in result.text


@pytest.mark.parametrize("shape", [(6, 7), (4, 3, 5, 6), (7,), (2, 100_000), (2, 3, 90, 90)])
def test_rows_and_pixels_are_sampled_where_they_stand(shape):
    scores = torch.randn(shape, generator=GENERATOR)
    rows = scores.movedim(min(scores.dim() - 1, 1), -1).reshape(-1, shape[min(len(shape) - 1, 1)])
    target = torch.arange(len(rows)).reshape((*shape[:1], *shape[2:]) if len(shape) > 1 else ())
    positions = positions_of(scores)
    assert torch.equal(pick_rows(scores, positions), rows[positions])
    assert torch.equal(pick_targets(target, scores, positions), positions)
    assert len(positions) <= ROWS
    assert len(positions) * rows.shape[1] <= max(ELEMENTS, rows.shape[1])


def test_the_measured_gain_and_the_formulas_are_of_two_gradients():
    twice = lambda z, y, how: 2 * F.cross_entropy(z, y, reduction=how)  # noqa: E731
    plain = lambda z, y, how: F.cross_entropy(z, y, reduction=how)  # noqa: E731
    crl = lambda z, y, how: competing_ratio_loss(z, y, reduction=how)  # noqa: E731
    wrong, right = (measure(Z, Y, loss, plain, "mean", (1.5, 1.0), (None, -100, 0.0)) for loss in (twice, crl))
    assert wrong["gain"] == pytest.approx(2)
    assert wrong["expected_gain"] == pytest.approx(right["gain"]) == pytest.approx(right["expected_gain"])
    assert wrong["error"] > 0.1
    assert right["error"] < 1e-6
