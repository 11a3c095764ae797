"""A study of heads: the plan's cells, trained block by block, each written as a run folder that any reader knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.data.loading import EpochOrder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.probes.corruption import corrupted, thinned
from finegrained_crl.probes.heads import OPTIMIZERS, Head, Training, bytes_per_head, check_loss, train_heads
from finegrained_crl.probes.writing import CellWriter, Material, constant_facts
from finegrained_crl.training.assembly import make_parts, require_no_leaks
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.session import Session

BLOCK_BYTES = 512 * 2**20
"""Weights, gradients and state of the heads that are trained together; more would not be faster."""


@dataclass(frozen=True)
class ProbeOptions:
    """What a probe has beside a recipe; kept as options of its method.

    Attributes:
        hidden: width of the heads' hidden layer; 0: linear.
        views: augmented views of each training picture; epoch e sees view e modulo their number.
        label_noise: share of the training labels replaced by another class, drawn by the seed.
        imbalance: how many times more training pictures the first class keeps than the last; 1 keeps all.
    """

    hidden: int = 0
    views: int = 4
    label_noise: float = 0.0
    imbalance: float = 1.0


@dataclass(frozen=True)
class Group:
    """Cells of one fold and seed: they see the same batches.

    Attributes:
        fold: held out.
        seed: of weights, order, validation part, noise.
        cells: all of them, in the order of the plan.
    """

    fold: int | None
    seed: int
    cells: list[Cell]


class ProbeStudy:
    """Trains what a study lacks.

    Args:
        folder: of the study.
        study: its plan.
        session: data, pictures and the frozen model.
        features: float16, (1 + views, rows, feature_dim).
        options: what is probed.
    """

    def __init__(
        self, folder: StudyFolder, study: Study, session: Session, features: np.ndarray, options: ProbeOptions
    ) -> None:
        self.folder, self.study, self.session = folder, study, session
        self.features, self.options = features, options
        self.constant = constant_facts(session)

    def run(self, done: Callable[[int], None]) -> None:
        """Train and write every block that is not there.

        Args:
            done: called with the number of cells of each finished block.
        Raises:
            FinegrainedError: a loss that can't be probed, a leaking split, a full disk.
        """
        for group in groups(self.study):
            missing = [block for block in self.blocks(group) if not all(self._is_done(cell) for cell in block)]
            done(len(group.cells) - sum(map(len, missing)))
            if missing:
                material = self._material(group)
                for block in missing:
                    self._train(block, material)
                    done(len(block))

    def blocks(self, group: Group) -> list[list[Cell]]:
        """The group's cells in the portions that are trained together.

        The plan alone decides: a study that was killed trains whole blocks again, and ends in the same bytes.
        """
        each = bytes_per_head(self.features.shape[2], _training(group.cells[0].recipe, self.session, self.options, 1))
        size = max(1, BLOCK_BYTES // each)
        return [group.cells[i : i + size] for i in range(0, len(group.cells), size)]

    def _is_done(self, cell: Cell) -> bool:
        return self.folder.run(cell).is_done

    def _material(self, group: Group) -> Material:
        """What all blocks of a group share: parts, features on the scale of the training part, targets."""
        session, recipe = self.session, group.cells[0].recipe
        parts = make_parts(recipe, session.records, session.data)
        leaks = require_no_leaks(session.records, parts, session.data, allowed=recipe.allow_leaks)
        labels = session.records.table["label"].to_numpy(dtype=np.int64)
        train = thinned(parts.train, labels, self.options.imbalance, group.seed)
        seen = corrupted(labels, train, session.records.num_classes, self.options.label_noise, group.seed)
        mean, deviation = _scale(self.features[0, train])
        context = SimpleNamespace(
            recipe=recipe, records=session.records, parts=parts, scorer=session.scorer, leaks=leaks
        )
        corruption = {"label_noise": self.options.label_noise, "imbalance": self.options.imbalance}
        return Material(context, train, seen, mean, deviation, corruption)

    def _train(self, cells: list[Cell], material: Material) -> None:
        recipe = cells[0].recipe
        order = EpochOrder(material.train, recipe.batch_size, recipe.seed, drop_last=recipe.drop_last)
        training = _training(recipe, self.session, self.options, len(order))
        heads = [Head(cell.recipe.loss, cell.recipe.lr, cell.recipe.weight_decay) for cell in cells]

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for epoch in range(recipe.epochs):
                order.epoch = epoch
                view = 1 + epoch % self.options.views if self.options.views else 0
                for keys in order:
                    rows = np.array([row for _, row in keys])
                    yield self._inputs(material, view, rows), torch.from_numpy(material.seen[rows])

        predict = train_heads(heads, self.features.shape[2], training, batches)
        parts = {
            name: (rows, predict(self._inputs(material, 0, rows)).numpy())
            for name, rows in (("test", material.context.parts.test), ("val", material.context.parts.val))
            if len(rows)
        }
        writer = CellWriter(self.session, self.constant, material, {name: rows for name, (rows, _) in parts.items()})
        for i, cell in enumerate(cells):
            writer.write(cell, self.folder.run(cell), {name: logits[:, i] for name, (_, logits) in parts.items()})

    def _inputs(self, material: Material, view: int, rows: np.ndarray) -> Tensor:
        raw = self.features[view, rows].astype(np.float32)
        return torch.from_numpy((raw - material.mean) / material.deviation)


def groups(study: Study) -> list[Group]:
    """The cells by fold and seed."""
    table: dict[tuple[int | None, int], list[Cell]] = {}
    for cell in study.cells:
        table.setdefault((cell.fold, cell.seed), []).append(cell)
    return [Group(fold, seed, cells) for (fold, seed), cells in table.items()]


def with_probe(recipe: Recipe, options: ProbeOptions) -> Recipe:
    """The recipe of a cell: its method is the probe, its options those of the probe."""
    return recipe.replace(method=Component("probe", dict(vars(options))))


def check_probe(recipe: Recipe, options: ProbeOptions) -> None:
    """Settings that mean something else, or nothing, for heads on cached features.

    Raises:
        FinegrainedError: one of them is set, or a loss is none of a head.
    """
    meaningless = {
        "mixup": 0.0, "cutmix": 0.0, "accumulate": 1, "ema": 0.0, "early_stopping": 0, "clip_grad": 0.0,
        "class_balanced": False, "drop_rate": 0.0, "head_lr": None, "decay_all": False, "min_lr": 0.0, "test_every": 0,
    }  # fmt: skip
    for name, neutral in meaningless.items():
        value = getattr(recipe, name)
        if value != neutral:
            flag = f"--{name.replace('_', '-')}"
            raise FinegrainedError(f"{flag} {value}: heads on cached features have none; set it to {neutral}")
    if recipe.schedule not in ("cosine", "constant"):
        raise FinegrainedError(f"--schedule {recipe.schedule}: a probe knows cosine and constant")
    if recipe.optimizer not in OPTIMIZERS:
        raise FinegrainedError(f"--optimizer {recipe.optimizer}: a probe knows {', '.join(OPTIMIZERS)}")
    check_loss(recipe.loss, 8, 8, hidden=options.hidden, label_smoothing=recipe.label_smoothing)


def _training(recipe: Recipe, session: Session, options: ProbeOptions, batches_per_epoch: int) -> Training:
    return Training(
        num_classes=session.records.num_classes,
        hidden=options.hidden,
        optimizer=recipe.optimizer,
        momentum=recipe.momentum,
        schedule=recipe.schedule,
        warmup=recipe.warmup_epochs * batches_per_epoch,
        updates=recipe.epochs * batches_per_epoch,
        label_smoothing=recipe.label_smoothing,
        seed=recipe.seed,
    )


def _scale(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each feature over the training part: rates then mean the same on every backbone."""
    values = features.astype(np.float32)
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)
