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
