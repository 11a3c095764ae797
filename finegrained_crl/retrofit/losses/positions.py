"""Which rows (and pixels) of a batch of logits are looked at: spread evenly, and few enough for 64 MB in all."""

from __future__ import annotations

import torch
from torch import Tensor

ELEMENTS = 500_000  # of float32, of which at most a dozen tables live at a time: 24 MB
ROWS = 4096  # more rows prove nothing more


def class_last(scores: Tensor) -> Tensor:
    """A view with the classes as the last axis."""
    return scores.movedim(min(scores.dim() - 1, 1), -1)


def positions_of(scores: Tensor) -> Tensor:
    """Numbers of the rows to look at, as `F.cross_entropy` counts its targets.

    Args:
        scores: float, (batch, num_classes, ...) or (num_classes,).
    Returns:
        int64, ascending.
    """
    classes = scores.shape[min(scores.dim() - 1, 1)] if scores.dim() else 1
    rows = scores.numel() // max(1, classes)
    asked = max(1, min(rows, ROWS, ELEMENTS // max(1, classes)))
    if asked >= rows:
        return torch.arange(rows)
    return torch.arange(asked) * rows // asked


def pick_rows(scores: Tensor, positions: Tensor) -> Tensor:
    """Copy the rows at these positions: float32, (rows, num_classes)."""
    last = class_last(scores.detach())
    if last.dim() == 1:
        return last.float()[None].clone()
    # Row numbers as indices of the axes; `torch.unravel_index` imports sympy, which takes a quarter of a second.
    index: list[Tensor] = []
    rest = positions.to(scores.device)
    for size in reversed(last.shape[:-1]):
        index.insert(0, rest % size)
        rest = rest // size
    return last[tuple(index)].float()


def pick_targets(target: Tensor, scores: Tensor, positions: Tensor) -> Tensor:
    """The targets of the same rows: class indices (rows,), or probabilities (rows, num_classes)."""
    target = target.detach()
    if target.dim() == scores.dim() and target.shape == scores.shape and target.is_floating_point():
        return pick_rows(target, positions)
    return target.reshape(-1)[positions.to(target.device)].clone()
