"""A stage under way: what is frozen, the wrapped trainee, optimiser, schedule, and where its batches come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from finegrained_crl.data.loading import Batch, batches
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import optim
from finegrained_crl.training.feature_cache import FeatureCache
from finegrained_crl.training.method import TrainBatch
from finegrained_crl.training.stages import PlacedStage
from finegrained_crl.training.targets import Targets

if TYPE_CHECKING:
    from finegrained_crl.training.session import Session


class StageRun:
    """Everything that is made anew for each stage.

    Args:
        session: the run.
        placed: the stage.
    Attributes:
        recipe: the run's recipe with the stage's settings.
        wrapped: the trainee as accelerate wraps it; frozen anew for each stage, so wrapped anew too.
        updates_per_epoch: optimiser steps per epoch.
    """

    def __init__(self, session: Session, placed: PlacedStage) -> None:
        self.session, self.placed, self.recipe = session, placed, placed.recipe
        trainee, accelerator = session.trainee, session.accelerator
        trainee.requires_grad_(True)
        self.frozen = optim.freeze(trainee, self.recipe.freeze)
        optimizer = optim.make_optimizer(trainee, self.recipe)
        self.updates_per_epoch = -(-len(session.order.at(0)) // self.recipe.accumulate)
        self.schedule = optim.make_schedule(optimizer, self.recipe, self.updates_per_epoch)
        if placed.first:
            accelerator.free_memory()  # accelerate keeps what it prepared; the stage before is over
        self.wrapped, self.optimizer = accelerator.prepare(trainee, optimizer)
        self.targets = Targets(self.recipe, session.records.num_classes, trainee.criteria)
        self.cache = _cache(session, placed)

    def train_mode(self) -> None:
        """Training mode, but for what is frozen: its batch-norm statistics stand still too."""
        self.wrapped.train()
        for module in self.frozen:
            module.eval()

    def groups(self) -> Iterator[list[Batch]]:
        """The batches of each update, from where `session.order` was set to."""
        group: list[Batch] = []
        for batch in self.cache.batches() if self.cache else batches(self.session.train_loader):
            group.append(batch)
            if len(group) == self.recipe.accumulate:
                yield group
                group = []
        if group:
            yield group

    def train_batch(self, batch: Batch) -> TrainBatch:
        """What the method's training step gets of a batch."""
        s, name = self.session, self.placed.stage.name
        labels = batch.labels.to(s.accelerator.device, non_blocking=True)
        if self.cache:
            features = batch.images.to(s.accelerator.device, non_blocking=True).float()
            return TrainBatch(features, self.targets.of(labels), stage=name, cached=True)
        images, target = self.targets(s.scorer.inputs(batch.images), labels)
        extras = {key: value.to(s.accelerator.device, non_blocking=True) for key, value in batch.extras.items()}
        return TrainBatch(images, target, extras, name)

    def validates(self, epoch: int) -> bool:
        """Whether validation is due after an epoch: with cached features it would cost more than the epoch, so once, at
        the end.
        """
        return not self.cache or epoch + 1 == self.placed.end

    def close(self) -> None:
        """Free what only this stage needed, and take accelerate's wrapper off: the next stage puts on its own."""
        self.session.accelerator.unwrap_model(self.wrapped, keep_fp32_wrapper=False)
        if self.cache:
            self.cache.remove()


def check_stage(session: Session, placed: PlacedStage) -> None:
    """Find out what a stage's settings can't do before the first one starts.

    Raises:
        FinegrainedError: unknown optimiser or module to freeze, targets that the loss can't take, mixing cached
            features.
    """
    recipe, trainee = placed.recipe, session.trainee
    if placed.stage.cached_views and (recipe.mixup or recipe.cutmix):
        raise FinegrainedError(
            f"mixup and CutMix mix images, and stage '{placed.stage.name}' trains on cached features: set them to 0, or"
            " cache no views"
        )
    if (recipe.mixup or recipe.cutmix) and trainee.method.per_image():
        raise FinegrainedError(
            "mixup and CutMix would mix what the method made of each image in the workers: set them to 0"
        )
    optim.freeze(trainee, recipe.freeze)
    optim.make_optimizer(trainee, recipe)
    Targets(recipe, session.records.num_classes, trainee.criteria)
    trainee.requires_grad_(True)


def _cache(session: Session, placed: PlacedStage) -> FeatureCache | None:
    if not placed.stage.cached_views:
        return None
    cache = FeatureCache(session, placed.stage.cached_views)
    cache.fill()
    return cache
