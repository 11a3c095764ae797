"""Losses and hits of each step, counted where the run keeps its sums.

On a GPU they are fetched while the next step is under way: asked for at once, each step would end with the GPU idle
until the host has launched the rest. All that is saved, shown at the end of an epoch or refused for being no number has
been fetched before (`settle`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from finegrained_crl.data.loading import Batch


@dataclass(frozen=True)
class StepFigures:
    """What one batch gave.

    Attributes:
        batch: the pictures.
        place: epoch and batch, in words.
        roles: of the losses.
        values: the losses in that order, and the number of correct pictures; on the device.
    """

    batch: Batch
    place: str
    roles: tuple[str, ...]
    values: Tensor

    def fetch(self) -> tuple[dict[str, float], float]:
        """Losses by role, and the number of correct pictures; one transfer for all."""
        *losses, correct = self.values.tolist()
        return dict(zip(self.roles, losses, strict=True)), correct


class LateFigures:
    """Hands each step's figures on, at once or one step later.

    Args:
        count: takes a step's figures.
        late: whether to wait for the next step.
    """

    def __init__(self, count: Callable[[StepFigures], None], *, late: bool) -> None:
        self.count, self.late = count, late
        self.waiting: StepFigures | None = None

    def add(self, batch: Batch, place: str, losses: dict[str, Tensor], correct: Tensor) -> None:
        """Take the figures of a step that was launched, and hand on those that are due."""
        values = torch.stack([*(loss.detach().float() for loss in losses.values()), correct.float()])
        self.settle()
        self.waiting = StepFigures(batch, place, tuple(losses), values)
        if not self.late:
            self.settle()

    def settle(self) -> None:
        """Hand on what waits."""
        figures, self.waiting = self.waiting, None
        if figures is not None:
            self.count(figures)
