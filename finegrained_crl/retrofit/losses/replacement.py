"""The loss that stands in for cross-entropy, called exactly as an edited program would call it.

CRL is a function of the per-sample cross-entropy, so weights, `ignore_index`, smoothing, soft targets and reductions
are those of
`CompetingRatioLoss` itself: same function, same arguments, same bits.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.catalogue import build_criterion, loss_class
from finegrained_crl.losses.checks import require_weight
from finegrained_crl.losses.competing_ratio import (
    SMALL_ALPHA,
    CompetingRatioLoss,
    competing_ratio_losses,
    of_cross_entropy,
    ratio_loss,
)
from finegrained_crl.losses.reduction import class_axis, reduce_class_losses, reduce_rows, to_full_precision


def log_probability_loss(
    log_probabilities: Tensor,
    target: Tensor,
    alpha: float = 1.5,
    beta: float = 1.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute CRL where the program computes `F.nll_loss`: from log-probabilities, without taking the softmax twice.

    Args:
        log_probabilities: float, (num_classes,) or (batch, num_classes, ...): a log_softmax over the classes; not
            checked here.
        target: class indices, the input's shape without the class axis.
        alpha, beta: as for `competing_ratio_loss`.
        weight, ignore_index, reduction: as for `F.nll_loss`.
    Returns:
        float, scalar, or the target's shape for "none".

    >>> import torch
    >>> log_probability_loss(torch.zeros(2, 8).log_softmax(1), torch.tensor([5, 0]))
    tensor(2.9444)
    """
    if beta == 0:
        return F.nll_loss(log_probabilities, target, weight, ignore_index=ignore_index, reduction=reduction)
    scores = to_full_precision(log_probabilities)
    if alpha < SMALL_ALPHA:  # there the library takes the ratio from the competitors' sum, class by class
        return reduce_class_losses(competing_ratio_losses(scores, alpha, beta), target, weight, ignore_index, reduction)
    require_weight(weight, scores.shape[class_axis(scores)])
    ce = F.nll_loss(scores, target, ignore_index=ignore_index, reduction="none")
    return reduce_rows(of_cross_entropy(ce, alpha, beta, False), target, weight, ignore_index, reduction)


class Replacement:
    """A loss by name, callable on logits or on log-probabilities with PyTorch's options.

    Args:
        name: of the catalogue; the loss must work on logits alone.
        alpha, beta: of CRL.
    Raises:
        FinegrainedError: the loss is unknown or needs more than logits and target.
        ValueError: alpha or beta is out of range.
    """

    def __init__(self, name: str = "crl", alpha: float = 1.5, beta: float = 1.0) -> None:
        cls = loss_class(name)
        if getattr(cls, "needs", "logits") != "logits":
            raise FinegrainedError(
                f"--loss {name} needs features or owns a classifier, which a retrofit can't give it; use a loss on"
                " logits"
            )
        if name == "crl":
            CompetingRatioLoss(alpha, beta)  # refuses what is out of range
        self.name, self.alpha, self.beta = name, alpha, beta
        self._built: dict[Any, tuple[nn.Module, Tensor | None]] = {}

    @property
    def is_crl(self) -> bool:
        """CRL has a known gain, the others are measured only."""
        return self.name == "crl"

    def on_logits(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None,
        ignore_index: int,
        reduction: str,
        label_smoothing: float,
    ) -> Tensor:
        """Compute the loss where the program calls `F.cross_entropy`."""
        if self.name != "crl":
            value: Tensor = self._criterion(logits, weight, ignore_index, reduction, label_smoothing)(logits, target)
            return value
        if self.beta == 0:
            return F.cross_entropy(
                logits, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
            )
        return ratio_loss(
            logits, target, self.alpha, self.beta, False, weight, ignore_index, reduction, label_smoothing
        )

    def on_log_probabilities(
        self, scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
    ) -> Tensor:
        """Compute the loss where the program calls `F.nll_loss`; softmax gives back the probabilities that the others
        need.
        """
        if self.name != "crl":
            return self.on_logits(scores, target, weight, ignore_index, reduction, 0.0)
        crl = partial(log_probability_loss, weight=weight, ignore_index=ignore_index, reduction=reduction)
        return crl(scores, target, self.alpha, self.beta)

    def _criterion(
        self, logits: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
    ) -> nn.Module:
        classes = logits.shape[min(logits.dim() - 1, 1)]
        key = (id(weight), classes, ignore_index, reduction, label_smoothing, logits.device)
        if key not in self._built:
            criterion = self._build(classes, weight, ignore_index, reduction, label_smoothing).to(logits.device)
            self._built[key] = (criterion, weight)  # holding the weight keeps its id from being used again
        return self._built[key][0]

    def _build(
        self, classes: int, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
    ) -> nn.Module:
        wanted = {
            "weight": weight,
            "ignore_index": ignore_index,
            "reduction": reduction,
            "label_smoothing": label_smoothing,
        }
        parameters = inspect.signature(loss_class(self.name)).parameters
        given = {
            n: v for n, v in wanted.items() if v is not None and not (n in parameters and v == parameters[n].default)
        }
        missing = [
            n
            for n, v in given.items()
            if n not in parameters and v != {"ignore_index": -100, "reduction": "mean"}.get(n, 0.0)
        ]
        if missing:
            raise FinegrainedError(f"--loss {self.name} has no {', '.join(missing)}, which the program sets here")
        if not any(n in parameters for n in given):
            return build_criterion(self.name, {}, num_classes=classes, feature_dim=1)
        more = {"num_classes": classes} if "num_classes" in parameters else {}
        return loss_class(self.name)(**more, **{n: v for n, v in given.items() if n in parameters})
