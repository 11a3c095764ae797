"""A study of heads: the plan's cells, trained block by block, each written as a run folder that any reader knows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from torch import Tensor

from finegrained_crl import files
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.data.loading import EpochOrder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.probes.corruption import corrupted, thinned
from finegrained_crl.probes.heads import OPTIMIZERS, Head, Training, bytes_per_head, check_loss, train_heads
from finegrained_crl.training import committed
from finegrained_crl.training.assembly import make_parts, require_no_leaks
from finegrained_crl.training.protocol import describe_protocol
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.results import age_intervals, part_figures, prediction_frame
from finegrained_crl.training.run_folder import FORMAT, RunFolder
from finegrained_crl.training.session import Session
from finegrained_crl.training.versions import versions
from finegrained_crl.training.weights_source import weights_sources

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
        self.constant = _constant(session)
        self.data = session.data.to_bytes()

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

    def _material(self, group: Group) -> _Material:
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
        return _Material(context, train, seen, labels, mean, deviation)

    def _train(self, cells: list[Cell], material: _Material) -> None:
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
        writer = _Writer(self, material, {name: rows for name, (rows, _) in parts.items()})
        for i, cell in enumerate(cells):
            writer.write(cell, {name: logits[:, i] for name, (_, logits) in parts.items()})

    def _inputs(self, material: _Material, view: int, rows: np.ndarray) -> Tensor:
        raw = self.features[view, rows].astype(np.float32)
        return torch.from_numpy((raw - material.mean) / material.deviation)


@dataclass(frozen=True)
class _Material:
    context: Any
    train: np.ndarray
    seen: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


class _Writer:
    """Writes cells of one group; what they have in common is made once."""

    def __init__(self, study: ProbeStudy, material: _Material, rows: dict[str, np.ndarray]) -> None:
        self.study, self.material, self.rows = study, material, rows
        records = study.session.records
        blank = [prediction_frame(records, of, np.zeros((len(of), 1)), part, "last") for part, of in rows.items()]
        frame = pd.concat(blank, ignore_index=True).drop(columns="logits")
        self.table = pa.Table.from_pandas(frame, preserve_index=False)
        self.protocol = describe_protocol(material.context)
        self.corruption = {"label_noise": study.options.label_noise, "imbalance": study.options.imbalance}
        self.first_data: Any = None

    def write(self, cell: Cell, logits: dict[str, np.ndarray]) -> None:
        run = self.study.folder.run(cell)
        if run.is_done:
            return
        values = np.concatenate(list(logits.values())).astype(np.float32)
        self._share_data(run)
        files.write_text(run.recipe, committed.sealed(_yaml(cell.recipe.as_dict())))
        files.write_bytes(run.predictions, self._predictions(values))
        files.write_json(run.results, self._results(cell, logits))
        run.commit()

    def _share_data(self, run: RunFolder) -> None:
        """One file for all cells of a group, under a name in each: it says the same ten thousand times."""
        if self.first_data is None:
            run.write_data(self.study.session.data)
            self.first_data = run.data
        else:
            files.make_folder(run.folder)
            files.keep_as(self.first_data, run.data)

    def _predictions(self, values: np.ndarray) -> bytes:
        offsets = pa.array(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32))
        logits = pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
        buffer = io.BytesIO()
        pq.write_table(self.table.append_column("logits", logits), buffer)
        return buffer.getvalue()

    def _results(self, cell: Cell, logits: dict[str, np.ndarray]) -> dict[str, Any]:
        study, records = self.study, self.study.session.records
        decoder = study.session.scorer.decoder
        metrics = {part: part_figures(records, self.rows[part], scores, decoder) for part, scores in logits.items()}
        parts = self.material.context.parts
        sizes = {"train": len(self.material.train), "val": len(parts.val), "test": len(parts.test)}
        return {
            "format": FORMAT,
            "headline": "last",
            "metrics": {"last": metrics, "selected_on_validation": None},
            "oracle_on_test": None,
            **age_intervals(records, self.rows, {"last": logits}, decoder),
            "protocol": {
                **self.protocol,
                "label_noise": study.options.label_noise,
                "imbalance": study.options.imbalance,
            },
            "method": cell.recipe.method.as_dict(),
            "loss": cell.recipe.loss.as_dict(),
            "roles": {"class": str(cell.recipe.loss)},
            "stages": [{"name": "head", "epochs": cell.recipe.epochs}],
            "epochs_run": cell.recipe.epochs,
            "selected_epoch": None,
            "seed": cell.seed,
            **study.constant,
            "data": {**study.constant["data"], **sizes},
        }


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


def _constant(session: Session) -> dict[str, Any]:
    """What results.json says alike in every cell."""
    records, recipe = session.records, session.recipe
    return {
        "dataset": recipe.dataset.as_dict(),
        "backbone": recipe.backbone,
        "precision": recipe.precision,
        "memory_format": recipe.memory_format,
        "processes": 1,
        "weights": session.trainee.model.notes,
        "weights_sources": weights_sources(session.trainee.model),
        "normalisation": {"mean": list(session.trainee.model.mean), "std": list(session.trainee.model.std)},
        "data": {
            "fingerprint": session.data.as_dict(),
            "accepted_changes": [],
            "num_classes": records.num_classes,
            "dropped": records.dropped,
            "ordered": records.ordered,
            **({"ages": records.ages.as_dict()} if records.ages else {}),
            "subgroups": list(records.subgroups),
            "root": str(records.root),
        },
        "class_names": list(records.class_names),
        "versions": versions(),
    }


def _yaml(values: dict[str, Any]) -> str:
    """The C writer where PyYAML has it: ten thousand recipes are written."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(json.loads(json.dumps(values)), Dumper=dumper, sort_keys=False))
