"""A run put together, every check before the first epoch; the parts themselves are made in `assembly.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import torch

from finegrained_crl.data import loading
from finegrained_crl.data.fingerprint import fingerprint
from finegrained_crl.data.stored_pictures import Cutter
from finegrained_crl.data.transforms import EvalTransform, TrainTransform
from finegrained_crl.data.workers import that_fit
from finegrained_crl.training.assembly import (
    changed_data,
    check_images,
    image_settings,
    make_parts,
    make_trainee,
    read_records,
    require_no_leaks,
)
from finegrained_crl.training.compilation import require_graphs_possible
from finegrained_crl.training.device import keep_freed_memory, make_accelerator, set_threads
from finegrained_crl.training.known_speeds import recall, remember
from finegrained_crl.training.ranges import check_recipe
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.routes import choose_route, make_pictures
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.scorer import Scorer, make_scorer
from finegrained_crl.training.speed import choose, fastest
from finegrained_crl.training.stages import place
from finegrained_crl.training.timing import Setting, Timing


class Session:
    """Everything that a loop needs; building one checks recipe, data, model and run folder.

    Args:
        recipe: what to train; "auto" settings are timed and resolved here, those of `options` too.
        run: where; checked here, claimed by whoever trains.
        options: how.
        resume: go on with the run that the folder holds.
    """

    def __init__(self, recipe: Recipe, run: RunFolder, options: RunOptions, *, resume: bool = False) -> None:
        check_recipe(recipe)
        run.check(recipe.as_dict(), resume=resume)
        set_threads(options.threads)
        self.run, self.options = run, options
        self.records = read_records(recipe)
        self.data = fingerprint(self.records)
        self.parts = make_parts(recipe, self.records, self.data)
        used = np.concatenate([self.parts.train, self.parts.val, self.parts.test])
        check_images(self.records, used, convert=recipe.convert_images)
        self.data_changes, self.known_data = changed_data(run, self.data, accept=options.accept_changed_data)
        self.leaks = require_no_leaks(self.records, self.parts, self.data, allowed=recipe.allow_leaks)
        if run.holds_run:
            recipe = _with_stored_choices(recipe, run)
        self.trainee = make_trainee(recipe, self.records.num_classes)
        self.timings: list[Timing] = []
        self.recipe = self._resolve(recipe)
        self.accelerator: Any = make_accelerator(self.recipe.precision, options.device)
        if options.cuda_graphs:
            require_graphs_possible(self.recipe, self.accelerator.device)
        if self.accelerator.device.type == "cpu":
            keep_freed_memory()
        if options.workers < 0:
            self.options = dataclasses.replace(
                self.options, workers=loading.default_workers(self.accelerator.device.type == "cuda")
            )
        self.route = choose_route(self, options.data_in)
        self.cutters: dict[str, Cutter] = {}
        self.options, self.warning = self._options_that_fit()
        self.scorer: Scorer = make_scorer(self.trainee, self.recipe, self.accelerator, **self.records.order)
        self.trainee = self.trainee.to(memory_format=self.scorer.memory_format)
        self.stages = place(self.trainee.method.stages(self.recipe), self.recipe)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return bool(self.accelerator.is_main_process)

    @property
    def setting(self) -> Setting:
        """How steps are computed."""
        r, threads = self.recipe, self.options.threads
        return Setting(r.precision, r.memory_format, 0 if threads == "auto" else threads, bool(r.compile))

    @cached_property
    def order(self) -> loading.EpochOrder:
        """The batches of each epoch."""
        train = self.parts.train
        weights = (
            loading.balanced_weights(self.records.table["label"].to_numpy()[train])
            if self.recipe.class_balanced
            else None
        )
        accelerator, r = self.accelerator, self.recipe
        place = {"rank": accelerator.process_index, "world": accelerator.num_processes}
        return loading.EpochOrder(train, r.batch_size, r.seed, weights, **place, drop_last=r.drop_last)

    @cached_property
    def train_loader(self) -> Iterable[Any]:
        """Loader of augmented pictures in `order`."""
        return loading.train_loader(self.train_pictures, self.order, workers=self.options.workers)

    @property
    def train_transform(self) -> TrainTransform:
        """The recipe's augmentation."""
        return TrainTransform(image_settings(self.recipe), self.recipe.seed)

    @cached_property
    def train_pictures(self) -> loading.Pictures:
        """Augmented pictures, with what the method does to each."""
        return make_pictures(self, self.train_transform)

    @cached_property
    def eval_pictures(self) -> loading.Pictures:
        """Pictures as the declared views show them."""
        return make_pictures(self, EvalTransform(image_settings(self.recipe)))

    def _options_that_fit(self) -> tuple[RunOptions, str]:
        """The options, with loader processes only where there is shared memory for their batches; and what to say."""
        if self.options.workers == 0 or not len(used := np.concatenate([self.parts.train, self.parts.test])):
            return self.options, ""
        kinds = (self.train_pictures, self.eval_pictures)
        each = sum(loading.bytes_per_picture(pictures, int(used[0])) for pictures in kinds)
        workers, told = that_fit(self.options.workers, each * self.recipe.batch_size)
        return dataclasses.replace(self.options, workers=workers), told

    def _resolve(self, recipe: Recipe) -> Recipe:
        """The recipe without "auto"; the best thread count is set."""
        threads = self.options.threads
        if "auto" not in (recipe.precision, recipe.memory_format, recipe.compile, threads):
            return recipe
        accelerator = make_accelerator("fp32", self.options.device)
        known = recall(self.trainee, recipe, accelerator.device, threads)
        self.timings = known or choose(
            self.trainee, recipe, accelerator.device, self.records.num_classes, threads=threads
        )
        if not known:
            remember(self.timings, self.trainee, recipe, accelerator.device, threads)
        batches = len(self.parts.train) // (recipe.batch_size * accelerator.num_processes)
        best = fastest(self.timings, recipe.epochs * batches).setting
        if accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            best = broadcast_object_list([best])[0]
        if threads == "auto":
            self.options = dataclasses.replace(self.options, threads=best.threads)
            torch.set_num_threads(best.threads or torch.get_num_threads())
        return recipe.replace(precision=best.precision, memory_format=best.memory_format, compile=best.compile)


def _with_stored_choices(recipe: Recipe, run: RunFolder) -> Recipe:
    """A resumed run keeps the precision, layout and compilation that were chosen when it began."""
    stored = run.read_recipe()
    return recipe.replace(**{name: stored[name] for name in ("precision", "memory_format", "compile")})
