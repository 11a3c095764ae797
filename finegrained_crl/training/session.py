"""A run put together: recipe -> records -> parts -> model and criteria -> loaders, every check before the first epoch."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from finegrained_crl import discovery
from finegrained_crl.data import loading
from finegrained_crl.data.audit import partition_leaks
from finegrained_crl.data.folds import Partition, cut_validation, hold_out
from finegrained_crl.data.images import check_header
from finegrained_crl.data.missing import missing_text, without_missing
from finegrained_crl.data.records import Records
from finegrained_crl.data.transforms import EvalTransform, ImageSettings, TrainTransform
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.device import keep_freed_memory, make_accelerator, memory_format, seed_step
from finegrained_crl.training.method import Method, ModelSpec
from finegrained_crl.training.recipe import Recipe, check_recipe
from finegrained_crl.training.run import RunFolder
from finegrained_crl.training.speed import Timing, choose
from finegrained_crl.training.stages import place
from finegrained_crl.training.trainee import Trainee


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what: nothing here changes a result.

    Attributes:
        workers: loader processes; negative: chosen from the number of cores.
        device: "auto" or "cpu".
        checkpoint_seconds: time between checkpoints within an epoch.
    """

    workers: int = -1
    device: str = "auto"
    checkpoint_seconds: float = 300.0


def read_records(recipe: Recipe) -> Records:
    """The records of the recipe's data set.

    Raises:
        FinegrainedError: unknown data set, no such folder, malformed files.
    """
    data = Path(recipe.data)
    if not data.exists():
        raise FinegrainedError(
            f"--data {data.absolute()} does not exist; `fgcrl data verify {recipe.dataset.name}` says what belongs there"
        )
    source = discovery.find("data set", recipe.dataset.name, discovery.datasets())
    records: Records = source(**recipe.dataset.options).read(data)
    return without_missing(records) if recipe.missing == "skip" else records


def make_parts(recipe: Recipe, records: Records) -> Partition:
    """Train, validation and test rows; validation is the data set's own part, or cut from train, never from test."""
    parts = hold_out(records, split=recipe.split, fold=recipe.fold)
    if recipe.val_fraction == 0:
        return parts
    train, val = cut_validation(records, parts.train, recipe.val_fraction, recipe.seed)
    return Partition(train, val, parts.test)


def require_no_leaks(records: Records, parts: Partition, *, allowed: bool) -> list[str]:
    """Stop where a subject or a listed picture is in two parts of the split.

    Args:
        records: the data set.
        parts: rows of each part.
        allowed: go on all the same.
    Returns:
        what leaks, one line each; for results.json.
    Raises:
        FinegrainedError: something leaks and is not allowed to.
    """
    found = [str(crossing) for crossing in partition_leaks(records, parts)]
    if found and not allowed:
        raise FinegrainedError(
            f"the split leaks: {'; '.join(found)}; the score would be too good. Correct the split (`fgcrl data audit` lists all), "
            "or pass --allow-leaks, which is written into results.json"
        )
    return found


def make_method(recipe: Recipe) -> Method:
    """The recipe's method, its options set."""
    cls = discovery.find("method", recipe.method.name, discovery.methods())
    made: Method = cls(**recipe.method.options)
    return made


def make_trainee(recipe: Recipe, num_classes: int) -> Trainee:
    """Model and criteria, seeded.

    Raises:
        FinegrainedError: backbone, weights or loss options that don't fit.
    """
    seed_step(recipe.seed)
    method = make_method(recipe)
    spec = ModelSpec(recipe.backbone, num_classes, recipe.weights, recipe.drop_rate, recipe.drop_path_rate, recipe.image_size)
    model = method.build(spec)
    return Trainee(method, model, build_criteria(recipe.loss, method.roles(model)))


def image_settings(recipe: Recipe) -> ImageSettings:
    """The recipe's picture settings."""
    names = ImageSettings.__dataclass_fields__
    return ImageSettings(**{name: getattr(recipe, name) for name in names})


def check_images(records: Records, rows: np.ndarray, *, convert: bool) -> None:
    """Look at every file's header before training starts.

    Raises:
        FinegrainedError: files that are missing, empty or of a kind that is not read; the first is named.
    """
    paths = [records.root / p for p in records.table["path"].iloc[rows]]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        errors = [text for text in pool.map(lambda path: check_header(path, convert), paths) if text]
    absent = [str(path) for path in paths if not path.is_file()] if errors else []
    if absent:
        raise FinegrainedError(missing_text(absent, len(paths)))
    if errors:
        more = f" ({len(errors) - 1} more files have problems: `fgcrl data verify` lists them all)" if len(errors) > 1 else ""
        raise FinegrainedError(errors[0] + more)


class Session:
    """Everything that a loop needs; building one checks recipe, data, model and run folder.

    Args:
        recipe: what to train; "auto" settings are timed and resolved here.
        run: where; checked here, claimed by whoever trains.
        options: how.
        resume: go on with the run that the folder holds.
    """

    def __init__(self, recipe: Recipe, run: RunFolder, options: RunOptions, *, resume: bool = False) -> None:
        check_recipe(recipe)
        run.check(recipe.as_dict(), resume=resume)
        self.run, self.options = run, options
        self.records = read_records(recipe)
        self.parts = make_parts(recipe, self.records)
        self.leaks = require_no_leaks(self.records, self.parts, allowed=recipe.allow_leaks)
        check_images(self.records, np.concatenate([self.parts.train, self.parts.val, self.parts.test]), convert=recipe.convert_images)
        if run.holds_run:
            recipe = _with_stored_choices(recipe, run)
        self.trainee = make_trainee(recipe, self.records.num_classes)
        self.recipe, self.timings = self._resolve(recipe)
        self.accelerator: Any = make_accelerator(self.recipe.precision, options.device)
        if self.accelerator.device.type == "cpu":
            keep_freed_memory()
        if options.workers < 0:
            self.options = dataclasses.replace(options, workers=loading.default_workers(self.accelerator.device.type == "cuda"))
        self.memory_format = memory_format(self.recipe.memory_format)
        self.trainee = self.trainee.to(memory_format=self.memory_format)
        self.stages = place(self.trainee.method.stages(self.recipe), self.recipe)
        self.normalise = loading.normaliser(self.trainee.model.mean, self.trainee.model.std, self.accelerator.device)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return bool(self.accelerator.is_main_process)

    @cached_property
    def order(self) -> loading.EpochOrder:
        """The batches of each epoch."""
        train = self.parts.train
        weights = loading.balanced_weights(self.records.table["label"].to_numpy()[train]) if self.recipe.class_balanced else None
        accelerator, r = self.accelerator, self.recipe
        return loading.EpochOrder(train, r.batch_size, r.seed, weights, accelerator.process_index, accelerator.num_processes)

    @cached_property
    def train_loader(self) -> DataLoader[Any]:
        """Loader of augmented pictures in `order`."""
        return loading.train_loader(self.train_pictures, self.order, workers=self.options.workers)

    @cached_property
    def train_pictures(self) -> loading.Pictures:
        """Augmented pictures, with what the method does to each."""
        transform, per_image = TrainTransform(image_settings(self.recipe), self.recipe.seed), self.trainee.method.per_image()
        return loading.Pictures(self.records, transform, convert=self.recipe.convert_images, per_image=per_image)

    @cached_property
    def eval_pictures(self) -> loading.Pictures:
        """Pictures as the declared views show them."""
        transform = EvalTransform(image_settings(self.recipe))
        return loading.Pictures(self.records, transform, convert=self.recipe.convert_images)

    def _resolve(self, recipe: Recipe) -> tuple[Recipe, list[Timing]]:
        if "auto" not in (recipe.precision, recipe.memory_format):
            return recipe, []
        accelerator = make_accelerator("fp32", self.options.device)
        timings = choose(self.trainee, recipe, accelerator.device, self.records.num_classes)
        best = timings[0]
        if accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            best = broadcast_object_list([best])[0]
        return recipe.replace(precision=best.precision, memory_format=best.memory_format), timings


def _with_stored_choices(recipe: Recipe, run: RunFolder) -> Recipe:
    """A resumed run keeps the precision and layout that were timed when it began."""
    stored = run.read_recipe()
    return recipe.replace(precision=stored["precision"], memory_format=stored["memory_format"])
