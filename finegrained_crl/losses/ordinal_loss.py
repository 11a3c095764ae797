"""What the losses for ordered classes share: labels only (no smoothing: the order already softens them), and PyTorch's reductions."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from finegrained_crl.losses.checks import require_options
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


class OrdinalLoss(ShowsSettings):
    """Base of the losses on logits of ordered classes 0 < 1 < ... < num_classes - 1.

    Args:
        weight: float, (num_classes,), factor per labelled class.
        ignore_index: label that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: `reduction` is outside its allowed values.
    """

    summary: ClassVar[str]
    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "logits"
    weight: Tensor | None

    def __init__(self, *, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        require_options(reduction, 0.0)
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def pytorch_options(self) -> dict[str, Any]:
        """Give the three options under the names that every functional form takes."""
        return {"weight": self.weight, "ignore_index": self.ignore_index, "reduction": self.reduction}
