"""L-Softmax and A-Softmax: the true class has to win at m times its angle. From pytorch-metric-learning.

With theta_k the angle between the features f and the weight W_k, the true class's logit becomes

    L-Softmax   ||W_c|| ||f|| psi(theta_c)        A-Softmax   ||f|| psi(theta_c), all ||W_k|| = 1
    psi(theta) = (-1)^k cos(m theta) - 2k,   theta in [k pi/m, (k + 1) pi/m]

and the others stay W_k . f (or f . W_k/||W_k||); then cross-entropy. m = 1 is the softmax without bias. The papers
blend the plain logit in at first and fade it out; the library has no such annealing, and from scratch m = 4 may not
start to learn: take m = 2, or fine-tune.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_at_least, require_classes
from finegrained_crl.losses.optional import import_optional
from finegrained_crl.losses.reduction import to_full_precision
from finegrained_crl.losses.softmax_loss import Needs, ShowsSettings


class LargeMarginSoftmaxLoss(ShowsSettings):
    """L-Softmax with its classifier, `pytorch_metric_learning.losses.LargeMarginSoftmaxLoss`.

    Args:
        num_classes: number of classes, at least 2.
        feature_dim: size of the features.
        margin: m, integer >= 1. 4 is the library's default; 1 is the plain softmax.
    Raises:
        ValueError: margin is below 1.
        ModuleNotFoundError: pytorch-metric-learning is not installed.
    Source: Liu, Wen, Yu, Yang, 2016, Large-margin softmax loss for convolutional neural networks, eq. 4 to 7.
    """

    takes_soft_targets: ClassVar[bool] = False
    needs: ClassVar[Needs] = "classifier"
    library_name: ClassVar[str] = "LargeMarginSoftmaxLoss"

    def __init__(self, num_classes: int, feature_dim: int, margin: int = 4) -> None:
        require_classes(num_classes)
        require_at_least("margin", margin, 1)
        super().__init__()
        self.num_classes, self.feature_dim, self.margin = num_classes, feature_dim, margin
        library = import_optional("pytorch_metric_learning.losses")
        self.loss: nn.Module = getattr(library, self.library_name)(num_classes, feature_dim, margin=margin)
        # The library draws weights of size 1, which makes the first logits sqrt(feature_dim) times those of a linear
        # layer.
        bound = feature_dim**-0.5
        nn.init.uniform_(self.loss.get_parameter("W"), -bound, bound)

    @property
    def classifier_weight(self) -> Tensor:
        """W, (num_classes, feature_dim)."""
        return self.loss.get_parameter("W").T

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of features (batch, feature_dim) against class indices (batch,).

        The library casts its weights to the features' type, so half-precision features are raised first.
        """
        loss: Tensor = self.loss(to_full_precision(features), target)
        return loss

    def scores(self, features: Tensor) -> Tensor:
        """Give W f, (batch, num_classes): the logits without a margin."""
        return F.linear(to_full_precision(features), self.classifier_weight)


class AngularSoftmaxLoss(LargeMarginSoftmaxLoss):
    """A-Softmax (SphereFace) with its classifier, `pytorch_metric_learning.losses.SphereFaceLoss`.

    Args:
        num_classes: number of classes, at least 2.
        feature_dim: size of the features.
        margin: m, integer >= 1. 4 is the paper's choice.
    Raises:
        ValueError: margin is below 1.
        ModuleNotFoundError: pytorch-metric-learning is not installed.
    Source: Liu, Wen, Yu, Li, Raj, Song, 2017, SphereFace: deep hypersphere embedding for face recognition, eq. 7.
    """

    library_name: ClassVar[str] = "SphereFaceLoss"

    @property
    def classifier_weight(self) -> Tensor:
        """W with rows of norm 1, (num_classes, feature_dim)."""
        return F.normalize(super().classifier_weight, dim=1)
