"""CRL towards SORD targets: the competing ratio for ordered classes.

    L(z, y) = sum_k q_k L_CRL(z, k),     q = softmax_k(-scale * phi(k, y))

CRL on soft targets is linear in them, so this is CRL's average over the neighbours. It sharpens: the softmax that
minimises it is more peaked than q (losses.md 1.6), which `crl_link` undoes.
"""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from finegrained_crl.losses.checks import require_at_least
from finegrained_crl.losses.competing_ratio import competing_ratio_losses
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.ordinal_targets import Distance
from finegrained_crl.losses.sord import SORDLoss


class CompetingRatioSORDLoss(SORDLoss):
    """CRL towards SORD targets: sum_k q_k (-log p_k + beta log(alpha + 1 - p_k)); beta = 0 is SORD.

    Args:
        alpha: >= 0, as in `CompetingRatioLoss`.
        beta: >= 0, as in `CompetingRatioLoss`.
        scale: >= 0; sharpness of the targets.
        distance: "absolute" |k - y| or "squared" (k - y)^2.
    Raises:
        ValueError: alpha, beta or scale is negative, distance is unknown, or an option is outside its allowed values.
    Source: ours, from Zhang et al., 2019, arXiv 1912.11642, eq. 11, and Díaz, Marathe, 2019, Soft labels for ordinal
        regression, eq. 1.

    >>> import torch
    >>> CompetingRatioSORDLoss()(torch.zeros(1, 3), torch.tensor([1]))
    tensor(1.8718)
    """

    def __init__(
        self,
        alpha: float = 1.5,
        beta: float = 1.0,
        scale: float = 1.0,
        distance: Distance = "absolute",
        **options: Unpack[RowOptions],
    ) -> None:
        require_at_least("alpha", alpha, 0)
        require_at_least("beta", beta, 0)
        super().__init__(scale, distance, **options)
        self.alpha, self.beta = alpha, beta

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute -log p_k + beta log(alpha + 1 - p_k)."""
        return competing_ratio_losses(logits, self.alpha, self.beta)
