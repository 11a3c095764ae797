"""DFL-CNN: the whole picture and its most telling patches are classified side by side, and their scores are added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

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
from finegrained_crl_plugins.dfl.filter_bank import FilterBank, calibrate
from finegrained_crl_plugins.dfl.model import DFLModel, DFLOutputs, GlobalHead
from finegrained_crl_plugins.dfl.patches import PatchPool, cluster, energetic_patches, whitened_filters

Init = Literal["clusters", "random"]
PATCHES_PER_IMAGE = 10
KEPT_PER_FILTER = 20  # patches of a class that are kept for clustering, for each of its filters


class DFL(Method):
    """DFL-CNN (Wang, Morariu, Davis, CVPR 2018) on any backbone with stages.

    Roles: "global" (G-stream), "part" (P-stream) and "side"; a criterion goes to all three unless --loss.where says
    otherwise. Losses are logged with their weights applied.

    Args:
        filters: filters per class (k)
        tap: stride of the map that the filters look at; 0 is the paper's choice: 8 for VGG (conv4_3), else 16 (conv4 of
            a ResNet), or the nearest that the network has
        init: filters at the start: centres of each class's clustered patches (the paper), or random (the public
            repository)
        global_head: classifier of the whole picture: linear on pooled maps, or the repository's convolution, batch norm
            and ReLU
        side_weight: weight of the side branch, in the loss and in the test scores
        max_images_per_class: training pictures of each class whose patches are clustered
    """

    summary: ClassVar[str] = "DFL-CNN: adds a bank of filters per class that look for its patches"

    def __init__(
        self,
        filters: int = 10,
        tap: int = 0,
        init: Init = "clusters",
        global_head: GlobalHead = "linear",
        side_weight: float = 0.1,
        max_images_per_class: int = 30,
    ) -> None:
        _check(filters >= 1, "filters", "must be at least 1", filters)
        _check(tap in (0, 8, 16, 32), "tap", "must be 8, 16 or 32, or 0 to choose by backbone", tap)
        _check(side_weight >= 0, "side-weight", "must not be negative", side_weight)
        _check(max_images_per_class >= 1, "max-images-per-class", "must be at least 1", max_images_per_class)
        require_choice("init", init, Init)
        require_choice("global-head", global_head, GlobalHead)
        self.filters, self.tap, self.init, self.global_head = filters, tap, init, global_head
        self.side_weight, self.max_images_per_class = side_weight, max_images_per_class

    def build(self, spec: ModelSpec) -> DFLModel:
        """Backbone, filter bank, two classifiers."""
        tap = self.tap or (8 if spec.backbone.startswith("vgg") else 16)
        return DFLModel(spec, filters=self.filters, tap=tap, nearest=not self.tap, global_head=self.global_head)

    def roles(self, model: Any) -> dict[str, Role]:
        """One per stream."""
        peaks = model.bank.out_channels
        return {
            "global": Role(model.num_classes, model.feature_dim),
            "part": Role(model.num_classes, peaks),
            "side": Role(model.num_classes, peaks),
        }

    def training_step(self, model: Any, criteria: Criteria, batch: TrainBatch) -> tuple[dict[str, Tensor], Tensor]:
        """One forward pass, three losses."""
        streams = _streams(model(batch.images))
        losses = {role: classification_loss(criteria[role], outputs, batch.target) for role, outputs in streams.items()}
        losses["side"] = self.side_weight * losses["side"]
        return losses, self._added(criteria, streams)

    def scores(self, model: Any, criteria: Criteria, images: Tensor) -> Tensor:
        """G + P + side_weight * side."""
        return self._added(criteria, _streams(model(images)))

    def _added(self, criteria: Criteria, streams: dict[str, Outputs]) -> Tensor:
        scores = {role: classification_scores(criteria[role], outputs) for role, outputs in streams.items()}
        return scores["global"] + scores["part"] + self.side_weight * scores["side"]

    @torch.no_grad()
    def initialise(self, model: Any, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> list[str]:
        """Fill the filter bank with the cluster centres of each class's patches; a class without pictures keeps its
        random filters.

        Two things that the paper does not ask for keep the first updates from undoing this (with EfficientNet-Lite0,
        random weights on top of these filters began at a cross-entropy of 24): the bank is calibrated, and the
        P-stream's classifier begins as the side branch, the mean of each class's own filters.
        """
        if self.init == "random":
            return []
        was_training = model.training
        model.eval()
        pool = PatchPool(model.num_classes, KEPT_PER_FILTER * self.filters)
        for tapped, labels in self._tapped(model, batches()):
            for patches, label in zip(energetic_patches(tapped, PATCHES_PER_IMAGE), labels, strict=True):
                pool.add(label, patches.cpu().double().numpy())
        self._fill(model.bank, pool)
        calibrate(model.bank, (tapped for tapped, _ in self._tapped(model, batches())), pool.size())
        model.part.weight.copy_(torch.eye(model.num_classes).repeat_interleave(self.filters, dim=1) / self.filters)
        model.part.bias.zero_()
        model.train(was_training)
        note = f"filter bank from {int(pool.seen.sum())} patches, {self.filters} clusters per class"
        empty = sum(not patches for patches in pool.kept)
        return [note + (f"; {empty} classes have no training picture and keep random filters" if empty else "")]

    def _fill(self, bank: FilterBank, pool: PatchPool) -> None:
        mean, covariance = pool.statistics()
        for label, patches in enumerate(pool.kept):
            if patches:
                weight = whitened_filters(cluster(np.stack(patches).astype(np.float64), self.filters), mean, covariance)
                bank.weight[label * self.filters : (label + 1) * self.filters] = torch.from_numpy(weight).to(
                    bank.weight
                )[:, :, None, None]

    def _tapped(self, model: DFLModel, batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, list[int]]]:
        """Tapped maps and labels of the first `max_images_per_class` pictures of each class."""
        left = np.full(model.num_classes, self.max_images_per_class)
        for images, labels in batches:
            wanted = [i for i, label in enumerate(labels.tolist()) if _take(left, label)]
            if wanted:
                yield model.backbone.with_tap(images[wanted])[1].float(), labels[wanted].tolist()

    def explanations(self, model: Any, criteria: Criteria, images: Tensor, class_names: list[str]) -> list[Panel]:
        """Where the predicted class's filters respond most, strongest contribution first."""
        outputs: DFLOutputs = model(images)
        _, tapped = model.backbone.with_tap(images[:1])
        classes = self._added(criteria, _streams(outputs)).argmax(1).tolist()
        panels = []
        for i, label in enumerate(classes):
            own = slice(label * self.filters, (label + 1) * self.filters)
            values, places = outputs.peaks[i, own], outputs.places[i, own]
            points = [
                _point(int(places[j]), f"{j}", tapped.shape, images.shape)
                for j in values.argsort(descending=True).tolist()
            ]
            panels.append(Panel(f"strongest filters of {class_names[label]}", images[i], points))
        return panels


def _streams(outputs: DFLOutputs) -> dict[str, Outputs]:
    return {
        "global": Outputs(outputs.whole, outputs.features),
        "part": Outputs(outputs.part, outputs.peaks),
        "side": Outputs(outputs.side, outputs.peaks),
    }


def _take(left: np.ndarray, label: int) -> bool:
    left[label] -= 1
    return bool(left[label] >= 0)


def _point(place: int, text: str, maps: torch.Size, images: torch.Size) -> tuple[float, float, str]:
    """The middle of a position of the map, in pixels of the picture, with its text."""
    row, column = divmod(place, maps[3])
    return (column + 0.5) * images[3] / maps[3], (row + 0.5) * images[2] / maps[2], text


def _check(is_right: bool, name: str, problem: str, value: object) -> None:
    if not is_right:
        raise FinegrainedError(f"--method.{name} {value}: {problem}")


method = DFL
