"""Bases of the losses: PyTorch's options, the facts that the catalogue reads, and a repr that shows the settings.

A loss on logits writes one method:

    FunctionOfCrossEntropy   term(ce)              its value from ce = -log p of one class
    ClassLosses              class_losses(logits)  its value for every class, where it depends on the other
    probabilities too

and gets shapes, soft targets, class weights, `ignore_index`, label smoothing and reductions from the base.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any, ClassVar, Literal, Unpack

from torch import Tensor, nn

from finegrained_crl.losses.checks import require_options, require_weight
from finegrained_crl.losses.options import PyTorchOptions, complete
from finegrained_crl.losses.reduction import class_axis, reduce_class_losses, reduce_function_of_cross_entropy

Needs = Literal["logits", "features", "classifier"]


class ShowsSettings(nn.Module):
    """A module whose signature is whole, and whose repr is its constructor call: keyword-only settings where not the
    default.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        complete(cls)

    def extra_repr(self) -> str:
        """List the settings as they would be written in the constructor call."""
        parameters = inspect.signature(type(self)).parameters.values()
        shown = {p.name: getattr(self, p.name) for p in parameters if hasattr(self, p.name)}
        keyword_only = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        return ", ".join(
            _setting(n, v) for n, v in shown.items() if n not in keyword_only or v is not keyword_only[n] != v
        )


class SoftmaxLoss(ShowsSettings, nn.CrossEntropyLoss):
    """Base of the losses that replace `torch.nn.CrossEntropyLoss` call for call; by itself it is cross-entropy.

    It is a CrossEntropyLoss for `isinstance`, and keeps `weight` as a buffer.

    Raises:
        ValueError: `reduction` or `label_smoothing` is outside its allowed values.
    """

    takes_soft_targets: ClassVar[bool] = True
    needs: ClassVar[Needs] = "logits"

    def __init__(self, **options: Unpack[PyTorchOptions]) -> None:
        require_options(options.get("reduction", "mean"), options.get("label_smoothing", 0.0))
        super().__init__(**options)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits `input` (PyTorch's name for them) against class indices or probabilities.

        Args:
            input: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax.
            target: int64 class indices in the logits' shape without the class axis, or float probabilities in the
                logits' shape.
        Returns:
            float, scalar, or the target's shape (without classes) for "none".
        Raises:
            ValueError: a shape disagrees, or `weight` is not one factor per class.
        """
        require_weight(self.weight, input.shape[class_axis(input)])
        return super().forward(input, target)

    def pytorch_options(self) -> PyTorchOptions:
        """Give the four options under PyTorch's names."""
        return {
            "weight": self.weight,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
        }


class FunctionOfCrossEntropy(SoftmaxLoss):
    """Base of the losses whose value depends on the class's own probability only: L(z, k) = term(-log p_k).

    Raises:
        ValueError: an option is outside its allowed values.
    """

    @abstractmethod
    def term(self, ce: Tensor) -> Tensor:
        """Compute the loss from ce = -log p in [0, inf], elementwise."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss; arguments as for `SoftmaxLoss.forward`."""
        return reduce_function_of_cross_entropy(input, target, self.term, **self.pytorch_options())


class ClassLosses(SoftmaxLoss):
    """Base of the losses that need all probabilities: L(z, k) = class_losses(z)_k.

    Raises:
        ValueError: an option is outside its allowed values.
    """

    @abstractmethod
    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute L(z, k) for every class k: the logits' shape, float32 for half-precision logits."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss; arguments as for `SoftmaxLoss.forward`."""
        return reduce_class_losses(self.class_losses(input), target, **self.pytorch_options())


def _setting(name: str, value: object) -> str:
    return f"{name}=<{tuple(value.shape)}>" if isinstance(value, Tensor) else f"{name}={value!r}"
