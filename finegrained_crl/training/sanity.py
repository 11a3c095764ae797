"""What a run must never go on with, or keep: losses and weights that are NaN or infinite."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError


def is_finite(losses: dict[str, float]) -> bool:
    """Whether the sum of the losses is a number."""
    return abs(sum(losses.values())) < float("inf")  # false for NaN too


def diverged(place: str, losses: dict[str, float], pictures: list[str], checkpoint: Path) -> FinegrainedError:
    """The error for a loss that is not finite: where, which loss, on which pictures, what is left, what to do."""
    named = ", ".join(f"{role} loss {value}" for role, value in losses.items())
    kept = (
        f"the last good checkpoint is kept in {checkpoint}" if checkpoint.exists() else "no checkpoint was written yet"
    )
    return FinegrainedError(
        f"training diverged in {place}: {named}; images: {', '.join(pictures)}; {kept}; "
        "lower --lr, or set --clip-grad 1 or --precision fp32"
    )


def require_finite_weights(module: nn.Module, place: str, checkpoint: Path) -> None:
    """Refuse to save weights that are NaN or infinite over good ones.

    Raises:
        FinegrainedError: the first such parameter is named.
    """
    for name, parameter in module.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise FinegrainedError(
                f"weights became NaN or infinite ({name}) by {place}; the checkpoint before is kept in {checkpoint}; "
                "lower --lr, or set --clip-grad 1"
            )
