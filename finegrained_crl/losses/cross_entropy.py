"""Plain cross-entropy and its label-smoothed form, the controls of every comparison: PyTorch's own, with the
catalogue's facts.
"""

from __future__ import annotations

from typing import Unpack

from finegrained_crl.losses.checks import require_share
from finegrained_crl.losses.options import RowOptions
from finegrained_crl.losses.softmax_loss import SoftmaxLoss


class CrossEntropyLoss(SoftmaxLoss):
    """`torch.nn.CrossEntropyLoss` itself: -log p_c, gradient p - e_c, gain 1.

    Raises:
        ValueError: an option is outside its allowed values.

    >>> import torch
    >>> CrossEntropyLoss()(torch.zeros(1, 8), torch.tensor([5]))
    tensor(2.0794)
    """


class LabelSmoothingLoss(SoftmaxLoss):
    """Cross-entropy towards (1 - epsilon) e_c + epsilon / num_classes.

    Args:
        epsilon: share of the target spread over all classes, in [0, 1]; 0.1 is the paper's value.
    Raises:
        ValueError: an option is outside its allowed values.
    Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, 2016, Rethinking the Inception architecture for computer vision,
        section 7.

    >>> import torch
    >>> LabelSmoothingLoss()(torch.tensor([[4.0, 0.0]]), torch.tensor([0]))
    tensor(0.2181)
    """

    def __init__(self, epsilon: float = 0.1, **options: Unpack[RowOptions]) -> None:
        require_share("epsilon", epsilon)
        super().__init__(**options, label_smoothing=epsilon)
        self.epsilon = epsilon
