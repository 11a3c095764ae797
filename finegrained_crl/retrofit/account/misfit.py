"""Does the gradient at the logits equal the losses' own, and if not, what is the likeliest explanation?

The residual of each row is compared with the directions that other losses of the same logits would give: p - e_c (any
function of the target's probability), p - 1/C (label smoothing by hand), or none of them (another term, such as a
distillation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from finegrained_crl.retrofit.losses.gain import expected_gradient

TOLERANCE = {torch.float64: 1e-3, torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 6e-2}
CHANCE = 1e-4  # of factors that are in order by accident; eight rows have 5e-5
KEPT_ROWS = 256  # of a chain's calls, for batches that are smaller
History = list[tuple[Tensor, ...]]
Kind = Literal["fits", "note", "refuse"]


@dataclass
class Rows:
    """The sampled rows of one call, with the factor that reached each of them."""

    scores: Tensor
    target: Tensor
    factor: Tensor
    options: Any
    crl: tuple[float, float]
    history: History  # probabilities, factors and labels of earlier rows of this chain

    @property
    def expected(self) -> Tensor:
        """The gradient that this call must give to its logits."""
        options = self.options
        alone = expected_gradient(
            self.scores, self.target, *self.crl, options.weight, options.ignore_index, options.smoothing
        )
        return self.factor[:, None] * alone

    @property
    def is_plain(self) -> bool:
        """Targets are class indices."""
        return not self.target.is_floating_point()


@dataclass(frozen=True)
class Finding:
    """What the comparison shows: misfit (share of the gradient that is not explained), rows, and an explanation."""

    kind: Kind
    misfit: float
    rows: int
    text: str = ""


def judge(actual: Tensor, calls: Sequence[Rows], dtype: torch.dtype) -> Finding:
    """Compare the gradient at the logits with the sum of what the calls give.

    Args:
        actual: float32, (rows, num_classes).
        calls: on the same logits and rows; one, or several (mixup).
        dtype: that the gradient came in.
    """
    expected = torch.stack([call.expected for call in calls]).sum(0)
    if not bool(torch.isfinite(actual).all() and torch.isfinite(expected).all()):
        return Finding("note", 0.0, len(actual), "the gradient was not finite; nothing could be compared")
    size = float(expected.norm())
    residual = actual - expected
    misfit = float(residual.norm()) / size if size else float(residual.norm() > 0)
    tolerance = TOLERANCE.get(dtype, TOLERANCE[torch.float32])
    if misfit > tolerance:
        return _explained(actual, residual, expected, calls, misfit, tolerance)
    return _factors(calls, misfit) or Finding("fits", misfit, len(actual))


def _factors(calls: Sequence[Rows], misfit: float) -> Finding | None:
    """What the factors of the rows tell, where the sum is as it must be."""
    for call in calls:
        if bool((call.factor < 0).any()):
            text = "its gradient arrives with a negative factor: the program climbs it, or subtracts it"
            return Finding("refuse", misfit, len(call.factor), text)
        if call.is_plain and follows_value(call):
            text = (
                "the rows' factors follow the loss's own value: it is weighted by a function of itself"
                " (a focal loss, a self-paced weight)"
            )
            return Finding("refuse", misfit, len(call.factor), text)
    silent = sum(int((call.factor == 0).sum()) for call in calls)
    if silent:
        return Finding("note", misfit, len(calls[0].factor), f"{silent} of its rows carry no gradient (a mask)")
    return None


def follows_value(call: Rows) -> bool:
    """Whether the factors of a loss per row rise or fall with the target's probability.

    Class weights do so by accident where the probabilities differ by class; so rows of one class are compared, and all
    rows only where the class does not explain the factors.
    """
    if call.options.reduction != "none" and len(call.factor) != 1:  # of a single row, the call's factor is the row's
        return False
    target = call.target.clamp(min=0).long()
    p = call.scores.softmax(1).gather(1, target[:, None])[:, 0]
    used = (call.factor > 0) & (call.target != call.options.ignore_index)
    rows = tuple(part[used].double().cpu() for part in (p, call.factor, target))
    if sum(len(earlier[0]) for earlier in call.history) < KEPT_ROWS:
        call.history.append(rows)
    for p, factor, labels in (rows, tuple(torch.cat(parts) for parts in zip(*call.history, strict=True))):
        of_class = [(p[labels == label], factor[labels == label]) for label in labels.unique()]
        if _in_order(of_class):
            return True
        repeated = [weights for _, weights in of_class if len(weights) > 1]
        is_by_class = bool(repeated) and all(_is_constant(weights) for weights in repeated)
        if not is_by_class and _in_order([(p, factor)]):
            return True
    return False


def _in_order(groups: Sequence[tuple[Tensor, Tensor]]) -> bool:
    """Whether factors are in the order of the probabilities in each group, and not by chance."""
    chance = 2.0  # rising or falling
    rises, falls = True, True
    for p, factor in groups:
        steps = factor[p.argsort()].diff()
        slack = 1e-5 * float(factor.max()) if len(factor) else 0.0  # rows of nearly one probability
        rises, falls = rises and bool((steps >= -slack).all()), falls and bool((steps <= slack).all())
        if not (rises or falls):
            return False
        chance *= 1.0 if _is_constant(factor) else _chance(factor)
    return chance < CHANCE


def _chance(factor: Tensor) -> float:
    """The share of a set's orders that are sorted: its equal members may stand in any order."""
    _, counts = factor.round(decimals=9).unique(return_counts=True)
    orders = math.lgamma(len(factor) + 1) - sum(math.lgamma(int(count) + 1) for count in counts)
    return math.exp(-orders)


def _is_constant(factor: Tensor) -> bool:
    return not len(factor) or float(factor.max() - factor.min()) <= 1e-3 * float(factor.max())


def _explained(
    actual: Tensor, residual: Tensor, expected: Tensor, calls: Sequence[Rows], misfit: float, tolerance: float
) -> Finding:
    call, rows = calls[0], len(actual)
    share_along = 1 - 0.1 * tolerance  # of the residual's energy; these directions are exact
    p = call.scores.softmax(1)
    share = f"{100 * misfit:.3g} % of the loss's own gradient"
    gone = (actual.norm(dim=1) == 0) & (expected.norm(dim=1) > 0)
    if bool(gone.any()):
        return Finding("note", misfit, rows, f"{int(gone.sum())} of {rows} rows get no gradient at the logits (a mask)")
    scale = float((actual * expected).sum() / expected.pow(2).sum().clamp(min=1e-30))
    if _small(actual - scale * expected, expected):
        return Finding("note", misfit, rows, f"the gradient at the logits is {scale:.4g} times the loss's (scaled)")
    if call.is_plain and _of_target(residual, p - _one_hot(call, p), share_along):
        text = (
            f"another function of the target's probability enters the loss ({share}): Poly-1, a focal term, a loss"
            " or a CRL written by hand, or cross-entropy a second time"
        )
        return Finding("refuse", misfit, rows, text)
    if not call.is_plain and _of_probabilities(residual, p, call.target, share_along):
        text = f"another function of the targets' probabilities enters the loss ({share}): Poly-1, or a loss by hand"
        return Finding("refuse", misfit, rows, text)
    if _of_smoothing(residual, p - 1 / p.shape[1], call.factor, share_along):
        text = f"label smoothing by hand ({share}): its smoothed part would stay cross-entropy"
        return Finding("refuse", misfit, rows, text)
    text = f"another term reads the same logits ({share}), such as a distillation or a penalty"
    return Finding("note", misfit, rows, text)


def _of_target(residual: Tensor, direction: Tensor, share: float) -> bool:
    """Whether the residual may come from a function of the target's probability.

    With two classes every gradient has that direction; there its length must be constant, or follow the probability.
    """
    if not along(residual, direction, share):
        return False
    if direction.shape[1] > 2:
        return True
    length = _lengths(residual, direction)
    by_p = length[(direction.abs().sum(1)).argsort()].diff()
    return bool((by_p >= -1e-6).all() or (by_p <= 1e-6).all())


def _of_probabilities(residual: Tensor, p: Tensor, q: Tensor, share: float) -> bool:
    """The same for targets that are distributions: cross-entropy again, or a function of sum_k q_k p_k."""
    q = q.float()
    expectation = p * q - p * (p * q).sum(1, keepdim=True)
    return p.shape[1] > 2 and (along(residual, p - q, share) or along(residual, expectation, share))


def _of_smoothing(residual: Tensor, direction: Tensor, factor: Tensor, share: float) -> bool:
    """Whether each row's residual is the same share of its factor, along p - 1/C."""
    if not along(residual, direction, share):
        return False
    lengths = _lengths(residual, direction)[factor != 0] / factor[factor != 0]
    return bool(lengths.numel()) and float((lengths - lengths.mean()).abs().max()) < 0.01 * float(lengths.mean().abs())


def _lengths(residual: Tensor, direction: Tensor) -> Tensor:
    return (residual * direction).sum(1) / direction.pow(2).sum(1).clamp(min=1e-12)


def _one_hot(call: Rows, p: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(call.target.clamp(0, p.shape[1] - 1).long(), p.shape[1]).to(p)


def along(residual: Tensor, direction: Tensor, share: float) -> bool:
    """Whether (nearly) all of the residual's energy lies along a direction, row by row."""
    unit = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-12)
    inside = (residual * unit).sum(1).pow(2).sum()
    return float(inside) >= share * float(residual.pow(2).sum())


def _small(difference: Tensor, expected: Tensor) -> bool:
    return float(difference.norm()) <= 1e-3 * float(expected.norm())
