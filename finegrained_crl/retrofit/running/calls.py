"""One call of a classification loss, as PyTorch's function got it, and the two ways to compute it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.losses.reduction import class_axis
from finegrained_crl.retrofit.account.arrival import Options
from finegrained_crl.retrofit.losses.replacement import Replacement

HALF = (torch.float16, torch.bfloat16)


@dataclass
class Call:
    """The arguments of a call.

    Args:
        loss: the function or class: "cross_entropy", "nll_loss", or one of timm's.
        input: logits, or for "nll_loss" log-probabilities.
        target: class indices or probabilities.
        weight, ignore_index, reduction, smoothing: as for `F.cross_entropy`.
        problem: why it can't be replaced, "" so far.
    """

    loss: str
    input: Tensor
    target: Tensor
    weight: Tensor | None = None
    ignore_index: int = -100
    reduction: str = "mean"
    smoothing: float = 0.0
    problem: str = ""

    @property
    def options(self) -> Options:
        """What the proof must know of it."""
        return Options(self.weight, self.ignore_index, self.smoothing, self.reduction)

    @property
    def can_train(self) -> bool:
        """Gradients can flow through its value."""
        return torch.is_grad_enabled() and (self.input.requires_grad or self.target.requires_grad)

    def replaced(self, replacement: Replacement) -> Tensor:
        """Compute the other loss, in the precision that the program would get from its own."""
        value = self.other(replacement, self.input, self.target, self.reduction)
        if self.input.dtype in HALF and not torch.is_autocast_enabled(self.input.device.type):
            return value.to(self.input.dtype)
        return value

    def other(self, replacement: Replacement, scores: Tensor, target: Tensor, reduction: str) -> Tensor:
        """The other loss of any scores of the same kind."""
        if self.loss == "nll_loss":
            return replacement.on_log_probabilities(scores, target, self.weight, self.ignore_index, reduction)
        return replacement.on_logits(scores, target, self.weight, self.ignore_index, reduction, self.smoothing)

    def own(self, scores: Tensor, target: Tensor, reduction: str) -> Tensor:
        """The program's own loss of any scores of the same kind."""
        if self.loss == "nll_loss":
            return F.nll_loss(scores, target, self.weight, ignore_index=self.ignore_index, reduction=reduction)
        return F.cross_entropy(
            scores, target, self.weight,
            ignore_index=self.ignore_index, reduction=reduction, label_smoothing=self.smoothing,
        )  # fmt: skip

    def as_scores(self, logits: Tensor) -> Tensor:
        """Logits as what the loss takes: `nll_loss` their log_softmax."""
        return logits.log_softmax(class_axis(logits)) if self.loss == "nll_loss" else logits


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction, where the two arguments of old PyTorch may be given instead."""
    if size_average is None and reduce is None:
        return reduction
    return str(nn._reduction.legacy_get_string(size_average, reduce, emit_warning=False))
