"""Label smoothing, mixup and CutMix: how labels become targets, and pictures become mixtures."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.recipe import Recipe


class Targets:
    """Turns (images, labels) into what the criteria get.

    Without smoothing or mixing, labels stay class indices. Otherwise the target is a distribution q over classes, and
    CRL takes its soft-target form, sum_k q_k CRL(z, k): linear in q, so mixing targets equals mixing the two losses.
    """

    def __init__(self, recipe: Recipe, num_classes: int, criteria: Criteria) -> None:
        self.num_classes, self.smoothing = num_classes, recipe.label_smoothing
        self.mixer = _mixer(recipe, num_classes)
        if (self.mixer or self.smoothing) and not criteria.takes_soft_targets:
            raise FinegrainedError(
                f"--loss {recipe.loss.name} takes class indices only: set --label-smoothing, --mixup and --cutmix to 0"
            )

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Args:
            images: float, (batch, 3, height, width).
            labels: int64, (batch,).
        Returns:
            images, mixed where asked; target, int64 (batch,) or float (batch, num_classes).
        """
        if self.mixer and len(images) % 2 == 0:
            mixed, target = self.mixer(images, labels)
            return mixed, target
        return images, smooth_targets(labels, self.num_classes, self.smoothing) if self.mixer else self.of(labels)

    def of(self, labels: Tensor) -> Tensor:
        """The target of unmixed images: int64 (batch,), or float (batch, num_classes) with smoothing."""
        return smooth_targets(labels, self.num_classes, self.smoothing) if self.smoothing else labels


def smooth_targets(labels: Tensor, num_classes: int, smoothing: float) -> Tensor:
    """(1 - smoothing) * one-hot + smoothing / num_classes: float, (batch, num_classes).

    Source: Szegedy et al., 2016, Rethinking the Inception Architecture, section 7; the form of `F.cross_entropy`.
    """
    return F.one_hot(labels, num_classes).float().mul_(1 - smoothing).add_(smoothing / num_classes)


def hard_labels(target: Tensor) -> Tensor:
    """The heaviest class of each target, int64 (batch,); for the training accuracy."""
    return target if target.ndim == 1 else target.argmax(1)


def _mixer(recipe: Recipe, num_classes: int) -> Any:
    if not (recipe.mixup or recipe.cutmix):
        return None
    from timm.data import Mixup

    # timm draws from numpy's global generator, which the loop seeds per step.
    return Mixup(recipe.mixup, recipe.cutmix, label_smoothing=recipe.label_smoothing, num_classes=num_classes)
