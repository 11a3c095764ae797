"""Bases of the losses for ordered classes: labels only (no smoothing: the order already softens them), and PyTorch's
reductions.

OrdinalRowLoss       row_losses(logits, labels)   one value per row
OrdinalTargetLoss    class_losses(logits)         the value of every class, averaged under the label's soft target
                     targets(num_classes)         row y of the table is label y's distribution
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Unpack

from torch import Tensor

from finegrained_crl.losses.checks import require_options, require_weight
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_targets import expected_losses
from finegrained_crl.losses.reduction import reduce_rows, to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


class OrdinalLoss(ShowsSettings):
    """Base of the losses on logits of ordered classes 0 < 1 < ... < num_classes - 1.

    Raises:
        ValueError: `reduction` is outside its allowed values.
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "logits"
    weight: Tensor | None

    def __init__(self, **options: Unpack[RowOptions]) -> None:
        require_options(options.get("reduction", "mean"), 0.0)
        super().__init__()
        self.reduction = options.get("reduction", "mean")
        self.register_buffer("weight", options.get("weight"))
        self.ignore_index = options.get("ignore_index", -100)


class OrdinalRowLoss(OrdinalLoss):
    """Base of the losses with one formula for a row and its label.

    Raises:
        ValueError: `reduction` is outside its allowed values.
    """

    @abstractmethod
    def row_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute one loss per row of float logits (batch, num_classes); finite where a label is ignored."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` against labels.

        Args:
            input: float, (batch, num_classes), before the softmax, classes in their order.
            target: int64, (batch,), labels in [0, num_classes).
        Returns:
            float, scalar, or (batch,) for "none".
        Raises:
            ValueError: a shape disagrees, or `weight` is not one factor per class.
        """
        require_weight(self.weight, input.shape[1])
        rows = self.row_losses(to_full_precision(input), target)
        return reduce_rows(rows, target, self.weight, self.ignore_index, self.reduction)


class OrdinalTargetLoss(OrdinalLoss):
    """Base of the losses towards soft targets around the label: L(z, y) = sum_k q_k L(z, k), q the row y of `targets`.

    Raises:
        ValueError: `reduction` is outside its allowed values.
    """

    takes_soft_targets: ClassVar[bool] = True

    @abstractmethod
    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute L(z, k) for every class k of float logits: (batch, num_classes)."""

    @abstractmethod
    def targets(self, num_classes: int) -> Tensor:
        """Give the table of soft targets: (num_classes, num_classes), row y sums to 1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` against labels.

        Args:
            input: float, (batch, num_classes), before the softmax, classes in their order.
            target: int64, (batch,), labels in [0, num_classes); or float, (batch, num_classes), a mixture of labels
                (mixup).
        Returns:
            float, scalar, or (batch,) for "none".
        Raises:
            ValueError: a shape disagrees, or `weight` is not one factor per class.
        """
        table = self.targets(input.shape[1])
        losses = self.class_losses(to_full_precision(input))
        return expected_losses(losses, target, table, self.weight, self.ignore_index, self.reduction)
