"""Proof on the first batch: values under both losses, and whether the gradient really is CE's times the gain.

For a target distribution q with class weights w (one-hot q in the plain case), CRL's gradient must be

    dL/dz_j = p_j sum_k q_k w_k g(p_k) - q_j w_j g(p_j),     g(p) = 1 + beta p / (alpha + 1 - p)

which is compared with what autograd gives for the loss that runs, on a detached copy of the batch's logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.reduction import class_axis
from finegrained_crl.retrofit.losses.positions import pick_rows, pick_targets, positions_of
from finegrained_crl.retrofit.sites.rows import Measured

WHOLE = 2_000_000  # logits up to so many are measured as a whole; of more, a sample


def measure(
    logits: Tensor,
    target: Tensor,
    loss: Callable[[Tensor, Tensor, str], Tensor],
    cross_entropy: Callable[[Tensor, Tensor, str], Tensor],
    reduction: str,
    gain: tuple[float, float] | None,
    weights: tuple[Tensor | None, int, float],
) -> Measured:
    """Compare a loss with cross-entropy on one batch, without a trace in the program's own graph.

    Args:
        logits: float, (batch, num_classes, ...) or (num_classes,); log-probabilities do as well.
        target: class indices or probabilities.
        loss, cross_entropy: from (logits, target, reduction) to the value; what runs, and what ran.
        reduction: the program's own.
        gain: (alpha, beta) of CRL; None for losses without a known gain.
        weights: class weights, ignore_index and label smoothing of the call.
    Returns:
        first_ce, first_loss, gain (measured mean over rows), expected_gain (by the formula), error (largest difference
        of gradients, as a share of the largest where that is above 1); None for what is not finite. `sampled` counts
        the rows where there were too many to look at all.
    """
    with torch.enable_grad(), torch.autocast(logits.device.type, enabled=False):
        positions = positions_of(logits)
        few, rows = pick_rows(logits, positions), pick_targets(target, logits, positions)
        is_whole = logits.numel() <= WHOLE
        whole = (logits.detach(), target) if is_whole else (few, rows)
        measured: Measured = {
            "first_ce": _finite(_mean(cross_entropy(*whole, reduction))),
            "first_loss": _finite(_mean(loss(*whole, reduction))),
        }
        ours, theirs = (_gradient(few, rows, each) for each in (loss, cross_entropy))
        measured["gain"] = _finite(_ratio(ours, theirs, 1))
        if gain is not None:
            expected = expected_gradient(few, rows, gain[0], gain[1], *weights)
            measured["expected_gain"] = _finite(_ratio(expected, theirs, 1))
            measured["error"] = _finite(_error(ours, expected))
        if not is_whole:
            measured["sampled"] = len(few)
    return measured


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _error(ours: Tensor, expected: Tensor) -> float:
    """Class weights may be any number: beyond 1, what counts is the share."""
    if not ours.numel():
        return 0.0
    return float((ours - expected).abs().max() / expected.abs().max().clamp(min=1.0))


def expected_gradient(
    logits: Tensor,
    target: Tensor,
    alpha: float,
    beta: float,
    weight: Tensor | None,
    ignore_index: int,
    smoothing: float,
) -> Tensor:
    """CRL's summed gradient by the closed form above.

    Args:
        logits: float32, (batch, num_classes, ...) or (num_classes,).
        target: class indices or probabilities.
        alpha, beta: of CRL.
        weight, ignore_index, smoothing: of the call.
    Returns:
        float32, the logits' shape.
    """
    axis = class_axis(logits)
    p = logits.softmax(axis)
    mass = _distribution(p, target, ignore_index, smoothing, axis)
    if weight is not None:
        mass = mass * weight.float().view([-1] + [1] * (p.dim() - axis - 1))
    pulls = mass * (1 + beta * p / (alpha + 1 - p))
    return p * pulls.sum(axis, keepdim=True) - pulls


def _distribution(p: Tensor, target: Tensor, ignore_index: int, smoothing: float, axis: int) -> Tensor:
    classes = p.shape[axis]
    if target.shape == p.shape:
        mass = target.float()
        return mass * (1 - smoothing) + smoothing / classes if smoothing else mass
    kept = target != ignore_index
    one_hot = F.one_hot(target.where(kept, 0).long(), classes).float().movedim(-1, axis)
    return (one_hot * (1 - smoothing) + smoothing / classes) * kept.unsqueeze(axis)


def _gradient(logits: Tensor, target: Tensor, loss: Callable[[Tensor, Tensor, str], Tensor]) -> Tensor:
    leaf = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf, target, "sum"), leaf)
    return gradient


def _ratio(ours: Tensor, theirs: Tensor, axis: int) -> float | None:
    """Mean over rows of the gradients' lengths; rows without a gradient (ignored, or certain) don't count."""
    lengths, base = ours.norm(dim=axis).flatten(), theirs.norm(dim=axis).flatten()
    used = base > 1e-12
    return float((lengths[used] / base[used]).mean()) if bool(used.any()) else None


def _mean(value: Tensor) -> float:
    return float(value.detach().double().mean())
