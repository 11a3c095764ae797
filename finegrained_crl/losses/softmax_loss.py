"""What the losses on logits share: PyTorch's options, the catalogue's facts, and a repr that shows the settings."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from finegrained_crl.losses.checks import require_options

Needs = Literal["logits", "features", "classifier"]


class ShowsSettings(nn.Module):
    """A module whose repr is its constructor call: positional settings always, keyword-only ones where not the default."""

    def extra_repr(self) -> str:
        """List the settings as they would be written in the constructor call."""
        parameters = inspect.signature(type(self)).parameters.values()
        shown = {p.name: getattr(self, p.name) for p in parameters if hasattr(self, p.name)}
        keyword_only = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        return ", ".join(_setting(n, v) for n, v in shown.items() if n not in keyword_only or v is not keyword_only[n] != v)


class SoftmaxLoss(ShowsSettings, nn.CrossEntropyLoss):
    """Base of the losses that replace `torch.nn.CrossEntropyLoss` call for call.

    It is a CrossEntropyLoss for `isinstance`, keeps `weight` as a buffer, and takes the options below. A subclass writes
    `forward`, which reads them from the attributes of the same names.

    Args:
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: `reduction` or `label_smoothing` is outside its allowed values.
    """

    summary: ClassVar[str]
    takes_soft_targets: ClassVar[bool] = True
    needs: ClassVar[Needs] = "logits"

    def __init__(
        self,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        require_options(reduction, label_smoothing)
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)

    def pytorch_options(self) -> dict[str, Any]:
        """Give the four options under the names that every functional form takes."""
        return {
            "weight": self.weight,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
        }


def _setting(name: str, value: object) -> str:
    return f"{name}=<{tuple(value.shape)}>" if isinstance(value, Tensor) else f"{name}={value!r}"
