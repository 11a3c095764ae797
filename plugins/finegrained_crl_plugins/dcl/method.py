"""DCL: every picture is trained on twice, as it is and with its blocks shuffled, and three heads share the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.method import (
    Method,
    ModelSpec,
    Outputs,
    Panel,
    Role,
    TrainBatch,
    classification_loss,
    classification_scores,
    require_choice,
)
from finegrained_crl_plugins.dcl import destruction
from finegrained_crl_plugins.dcl.construction import Law, guessed_permutation, law_target
from finegrained_crl_plugins.dcl.destruction import Shuffle, WorkerDestruction, shuffle_blocks
from finegrained_crl_plugins.dcl.model import DCLModel, DCLOutputs, Swap

Place = Literal["batch", "worker"]


class DCL(Method):
    """Destruction and construction learning (Chen et al., CVPR 2019) on any backbone that gives feature maps.

    Roles: "class" on intact and destroyed pictures alike, "swap" (keeps cross-entropy unless --loss.where says
    otherwise). The construction loss is an L1 distance, logged as "construction". Losses are logged with their weights
    applied; the training accuracy is that of the intact pictures.

    Args:
        grid: blocks per side of the shuffled picture.
        reach: a block moves by less than so many places along each axis (twice the paper's k, which is 2)
        swap: outputs of the swap head: each class twice, intact and destroyed ("2c", added to the test scores), or just
            those two ("2")
        law: what the construction head says of a block: its number ("one-channel") or its row and column
            ("two-channel", the paper)
        shuffle: how blocks are shuffled: the paper's bounded jitter, or as the public repository does, its guessed
            targets included
        destroy: where: the whole batch on the device, or each picture in the loader's workers
        swap_weight: weight of the swap loss (beta)
        construction_weight: weight of the construction loss (gamma): 1 for birds, 0.01 for cars
    """

    summary: ClassVar[str] = "DCL: also trains on shuffled blocks, and on telling where they belong"

    def __init__(
        self,
        grid: int = 7,
        reach: int = 4,
        swap: Swap = "2c",
        law: Law = "two-channel",
        shuffle: Shuffle = "paper",
        destroy: Place = "batch",
        swap_weight: float = 1.0,
        construction_weight: float = 1.0,
    ) -> None:
        _check_numbers(
            grid=(grid, 2), reach=(reach, 2), swap_weight=(swap_weight, 0), construction_weight=(construction_weight, 0)
        )
        for option, value, choices in (
            ("swap", swap, Swap),
            ("law", law, Law),
            ("shuffle", shuffle, Shuffle),
            ("destroy", destroy, Place),
        ):
            require_choice(option, value, choices)
        self.grid, self.reach, self.swap, self.law, self.shuffle, self.destroy = (
            grid,
            reach,
            swap,
            law,
            shuffle,
            destroy,
        )
        self.swap_weight, self.construction_weight = swap_weight, construction_weight

    def build(self, spec: ModelSpec) -> DCLModel:
        """Backbone and three new heads.

        Raises:
            FinegrainedError: pictures too small for the grid.
        """
        if spec.image_size < self.grid:
            raise FinegrainedError(
                f"--method.grid {self.grid} needs pictures of at least {self.grid} px, --image-size is"
                f" {spec.image_size}"
            )
        return DCLModel(spec, grid=self.grid, swap=self.swap, law=self.law)

    def roles(self, model: Any) -> dict[str, Role]:
        """The class head's and the swap head's."""
        return {
            "class": Role(model.num_classes, model.feature_dim),
            "swap": Role(model.swap.out_features, model.feature_dim, by_default=False),
        }

    def per_image(self) -> Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, dict[str, np.ndarray]]] | None:
        """Destruction in the workers, where that was asked for."""
        return WorkerDestruction(self.grid, self.reach, self.shuffle) if self.destroy == "worker" else None

    def training_step(self, model: Any, criteria: Criteria, batch: TrainBatch) -> tuple[dict[str, Tensor], Tensor]:
        """One forward pass over intact and destroyed pictures, interleaved."""
        pairs, permutation = self.pairs(batch)
        outputs: DCLOutputs = model(pairs)
        seen = Outputs(outputs.logits, outputs.features)
        swapped = Outputs(outputs.swap, outputs.features)
        losses = {
            "class": classification_loss(criteria["class"], seen, batch.target.repeat_interleave(2, dim=0)),
            "swap": (
                self.swap_weight
                * classification_loss(criteria["swap"], swapped, self.swap_target(batch.target, model.num_classes))
            ),
            "construction": (
                self.construction_weight * F.l1_loss(outputs.law, self.law_targets(model, pairs, permutation))
            ),
        }
        return losses, classification_scores(criteria["class"], seen)[::2]

    def scores(self, model: Any, criteria: Criteria, images: Tensor) -> Tensor:
        """The class head's scores, and for "2c" the swap head's two of each class on top."""
        seen, swapped = model.classify(images)
        scores = classification_scores(criteria["class"], seen)
        if self.swap == "2":
            return scores
        twice: Tensor = classification_scores(criteria["swap"], swapped).unflatten(1, (2, -1))
        return scores + twice.sum(1)

    def pairs(self, batch: TrainBatch) -> tuple[Tensor, Tensor]:
        """Intact and destroyed pictures by turns, (2 * batch, 3, height, width), and the permutations, (batch, grid *
        grid).
        """
        images = batch.images
        if "permutation" in batch.extras:  # the workers did it
            return images, batch.extras["permutation"]
        permutation = destruction.random_permutations(len(images), self.grid, self.reach, self.shuffle, images.device)
        source = images if self.shuffle == "paper" else destruction.without_border(images)
        pairs = torch.stack([images, shuffle_blocks(source, permutation, self.grid)], dim=1).flatten(0, 1)
        last = images.is_contiguous(memory_format=torch.channels_last)
        return pairs.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format), permutation

    def swap_target(self, target: Tensor, num_classes: int) -> Tensor:
        """Targets of the swap head for pairs.

        Args:
            target: int64 (batch,), or float (batch, num_classes).
            num_classes: classes of the data set.
        Returns:
            "2c": class y for the intact and y + num_classes for the destroyed one, int64 (2 * batch,); soft targets
            float (2 * batch, 2 * num_classes), zero for the other half. "2": 0 for intact, 1 for destroyed.
        """
        if self.swap == "2":
            return torch.arange(2, device=target.device).repeat(len(target))
        if target.ndim == 1:
            return torch.stack([target, target + num_classes], dim=1).flatten()
        nothing = torch.zeros_like(target)
        intact, destroyed = torch.cat([target, nothing], dim=1), torch.cat([nothing, target], dim=1)
        return torch.stack([intact, destroyed], dim=1).flatten(0, 1)

    def law_targets(self, model: DCLModel, pairs: Tensor, permutation: Tensor) -> Tensor:
        """Targets of the construction head for pairs, (2 * batch, law channels * grid * grid)."""
        if self.shuffle == "repository":
            permutation = guessed_permutation(pairs[::2], pairs[1::2], self.grid, model.std)
        intact = torch.arange(self.grid**2, device=permutation.device).expand_as(permutation)
        return law_target(torch.stack([intact, permutation], dim=1).flatten(0, 1), self.grid, self.law)

    def explanations(self, model: Any, criteria: Criteria, images: Tensor, class_names: list[str]) -> list[Panel]:
        """Each picture destroyed, under the classes that the model sees in it before and after; the same shuffle every
        time.
        """
        noise = torch.rand(len(images), 2, self.grid, self.grid, generator=torch.Generator().manual_seed(0)).to(
            images.device
        )
        destroyed = shuffle_blocks(images, destruction.permutations(noise, self.reach, self.shuffle), self.grid)
        before, after = (self.scores(model, criteria, x).argmax(1).tolist() for x in (images, destroyed))
        return [
            Panel(
                f"destroyed: {class_names[new]}" + (", as intact" if new == old else f" (intact: {class_names[old]})"),
                picture,
                [],
            )
            for picture, old, new in zip(destroyed, before, after, strict=True)
        ]


def _check_numbers(**options: tuple[float, float]) -> None:
    for name, (value, least) in options.items():
        if not value >= least:  # true for NaN too
            raise FinegrainedError(f"--method.{name.replace('_', '-')} must be at least {least}, got {value}")


method = DCL
