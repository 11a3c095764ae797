"""Ordinal soft labels of dlordinal's families, under cross-entropy or CRL.

    L(z, y) = sum_k q_k L_CRL(z, k),     q = (1 - eta) e_y + eta * (the family's distribution around y)

The table of distributions is dlordinal's; beta = 0 makes L_CRL the cross-entropy, which is dlordinal's own loss.
"""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from finegrained_crl.losses.checks import require_at_least, require_classes
from finegrained_crl.losses.competing_ratio import competing_ratio_losses
from finegrained_crl.losses.optional import import_optional
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_loss import OrdinalTargetLoss

Family = Literal["beta", "binomial", "exponential", "poisson", "triangular"]


def soft_label_targets(num_classes: int, family: Family = "triangular", eta: float = 1.0) -> Tensor:
    """Make the table of a dlordinal family: row y is label y's distribution.

    Args:
        num_classes: number of ordered classes, at least 2 (dlordinal's beta family knows 3 to 14).
        family: "beta", "binomial", "exponential", "poisson" or "triangular", with dlordinal's default shape.
        eta: in [0, 1]; 0 is one-hot, 1 is the family alone.
    Returns:
        float, (num_classes, num_classes), rows summing to 1.
    Raises:
        ValueError: a setting lies outside its range.
        ModuleNotFoundError: dlordinal is not installed.
    """
    require_classes(num_classes)
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must be in [0, 1], got {eta}")
    if family not in ("beta", "binomial", "exponential", "poisson", "triangular"):
        raise ValueError(f"family must be one of beta, binomial, exponential, poisson, triangular, got '{family}'")
    library = import_optional("dlordinal.losses")
    table: Tensor = getattr(library, f"{family.capitalize()}Loss")(nn.CrossEntropyLoss(), num_classes).cls_probs
    return (1 - eta) * torch.eye(num_classes) + eta * table.float()


class OrdinalSoftLabelLoss(OrdinalTargetLoss):
    """Cross-entropy or CRL towards a dlordinal family of soft ordinal labels.

    Args:
        num_classes: number of ordered classes, at least 2.
        family: "beta", "binomial", "exponential", "poisson" or "triangular".
        eta: in [0, 1]; 0 is one-hot, 1 is the family alone. 1 is dlordinal's default.
        alpha: >= 0, as in `CompetingRatioLoss`; without effect at beta = 0.
        beta: >= 0; 0 is cross-entropy, 1 is CRL.
    Raises:
        ValueError: a setting lies outside its range.
        ModuleNotFoundError: dlordinal is not installed.
    Source: the dlordinal library (Bérchez-Moreno et al., 2025) and the papers that it names per family.

    >>> OrdinalSoftLabelLoss(num_classes=5)
    OrdinalSoftLabelLoss(num_classes=5, family='triangular', eta=1.0, alpha=1.5, beta=0.0)
    """

    table: Tensor

    def __init__(
        self,
        num_classes: int,
        family: Family = "triangular",
        eta: float = 1.0,
        alpha: float = 1.5,
        beta: float = 0.0,
        **options: Unpack[RowOptions],
    ) -> None:
        require_at_least("alpha", alpha, 0)
        require_at_least("beta", beta, 0)
        table = soft_label_targets(num_classes, family, eta)
        super().__init__(**options)
        self.num_classes, self.family, self.eta, self.alpha, self.beta = num_classes, family, eta, alpha, beta
        self.register_buffer("table", table)

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute -log p_k + beta log(alpha + 1 - p_k)."""
        return competing_ratio_losses(logits, self.alpha, self.beta)

    def targets(self, num_classes: int) -> Tensor:
        """Give the table of the family; another class count is refused by its size."""
        return self.table
