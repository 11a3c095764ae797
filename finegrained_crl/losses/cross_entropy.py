"""Plain cross-entropy and its label-smoothed form, the controls of every comparison: PyTorch's own, with the catalogue's facts."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from finegrained_crl.losses.softmax_loss import SoftmaxLoss


class CrossEntropyLoss(SoftmaxLoss):
    """`torch.nn.CrossEntropyLoss` itself: -log p_c, gradient p - e_c, gain 1.

    Args:
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Raises:
        ValueError: an option is outside its allowed values.

    >>> import torch
    >>> CrossEntropyLoss()(torch.zeros(1, 8), torch.tensor([5]))
    tensor(2.0794)
    """

    summary: ClassVar[str] = "cross-entropy, the baseline"


class LabelSmoothingLoss(SoftmaxLoss):
    """Cross-entropy towards (1 - label_smoothing) e_c + label_smoothing / num_classes.

    Args:
        label_smoothing: share of the target spread over all classes, in [0, 1]; 0.1 is the paper's value.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
    Raises:
        ValueError: an option is outside its allowed values.
    Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, 2016, Rethinking the Inception architecture for computer vision, section 7.

    >>> import torch
    >>> LabelSmoothingLoss()(torch.tensor([[4.0, 0.0]]), torch.tensor([0]))
    tensor(0.2181)
    """

    summary: ClassVar[str] = "cross-entropy towards smoothed labels"

    def __init__(
        self,
        label_smoothing: float = 0.1,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
