"""Checks of a loss's settings: made where a value enters, so that the maths stays free of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

REDUCTIONS = ("none", "mean", "sum")


def require_at_least(name: str, value: float, minimum: float, *, advice: str = "") -> None:
    """Refuse a number that is below its minimum, infinite or NaN.

    Args:
        name: the argument's name, for the message.
        value: what was given.
        minimum: lowest allowed value.
        advice: what to do instead, appended to the message.
    Raises:
        ValueError: "alpha must be >= 0, got -1.0".
    """
    if not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number >= {minimum:g}, got {value!r}{_appended(advice)}")
    if not minimum <= value < math.inf:  # also refuses NaN; torch.compile can trace it, unlike math.isfinite
        raise ValueError(f"{name} must be >= {minimum:g}, got {value}{_appended(advice)}")


def require_above(name: str, value: float, bound: float, *, advice: str = "") -> None:
    """Refuse a number that is not above its bound, infinite or NaN; arguments as for `require_at_least`."""
    require_at_least(name, value, bound, advice=advice)
    if value == bound:
        raise ValueError(f"{name} must be > {bound:g}, got {value}{_appended(advice)}")


def require_classes(num_classes: int, minimum: int = 2) -> None:
    """Refuse a class count that the loss is undefined for."""
    if num_classes < minimum:
        raise ValueError(
            f"num_classes must be >= {minimum}, got {num_classes}; this loss compares classes with each other"
        )


def require_options(reduction: str, label_smoothing: float) -> None:
    """Refuse what `torch.nn.CrossEntropyLoss` would refuse, before the first batch.

    Args:
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: either is outside its allowed values.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got '{reduction}'")
    require_share("label_smoothing", label_smoothing)


def require_share(name: str, value: float) -> None:
    """Refuse a share outside [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")


def require_weight(weight: Tensor | None, num_classes: int) -> None:
    """Refuse class weights that are not one factor per class; PyTorch would read the first ones, or another row's.

    Args:
        weight: float, (num_classes,), or None.
        num_classes: size of the logits' class axis.
    Raises:
        ValueError: "weight has 3 factors for 5 classes; give one per class".
    """
    if weight is None or tuple(weight.shape) == (num_classes,):
        return
    if weight.dim() != 1:
        raise ValueError(
            f"weight must have the shape ({num_classes},), one factor per class, got {tuple(weight.shape)}"
        )
    raise ValueError(f"weight has {len(weight)} factors for {num_classes} classes; give one per class")


def _appended(advice: str) -> str:
    return f"; {advice}" if advice else ""
