"""Competing Ratio Loss for fine-grained and age-group image classification.

The names below load torch when they are first used, so that `finegrained_crl.metrics` and `finegrained_crl.reports`
work on a machine without it.

>>> from finegrained_crl import CompetingRatioLoss
>>> CompetingRatioLoss()
CompetingRatioLoss(alpha=1.5, beta=1.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finegrained_crl.losses.competing_ratio import CompetingRatioLoss, competing_ratio_loss
    from finegrained_crl.training.predictor import load_run

__version__ = "0.1.0"
__all__ = ["CompetingRatioLoss", "__version__", "competing_ratio_loss", "load_run"]


def __getattr__(name: str) -> Any:
    """Import the losses and the predictor on first use (PEP 562)."""
    if name in ("CompetingRatioLoss", "competing_ratio_loss"):
        from finegrained_crl.losses import competing_ratio

        return getattr(competing_ratio, name)
    if name == "load_run":
        from finegrained_crl.training.predictor import load_run

        return load_run
    raise AttributeError(f"module 'finegrained_crl' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
