"""The training loop: stages of epochs of updates, validation, checkpoints; a run may stop anywhere and go on as if it
had not.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from finegrained_crl import files
from finegrained_crl.data.loading import Batch, batches, eval_loader
from finegrained_crl.training import checkpoint
from finegrained_crl.training.compilation import compile_network
from finegrained_crl.training.device import seed_step, synchronise_batch_norm
from finegrained_crl.training.evaluate import evaluate
from finegrained_crl.training.interruption import Interrupted, Interruption
from finegrained_crl.training.loop_state import state_of, take_up
from finegrained_crl.training.optim import learning_rates
from finegrained_crl.training.progress import Progress, history_csv
from finegrained_crl.training.reporter import Reporter
from finegrained_crl.training.sanity import diverged, is_finite, require_finite_weights
from finegrained_crl.training.stage_run import StageRun, check_stage
from finegrained_crl.training.stages import PlacedStage
from finegrained_crl.training.step_figures import LateFigures, StepFigures
from finegrained_crl.training.targets import hard_labels
from finegrained_crl.training.trackers import Board, tracked
from finegrained_crl.training.trainee import Trainee
from finegrained_crl.training.watched import figures_of, merit, names_of

if TYPE_CHECKING:
    from finegrained_crl.training.session import Session


class Loop:
    """Trains the session's model to the end of its recipe, from wherever its run folder says that it stands."""

    def __init__(self, session: Session, interruption: Interruption | None = None) -> None:
        self.session, self.recipe = session, session.recipe
        self.interruption = interruption or Interruption()
        self.epochs = session.stages[-1].end
        self.trainee = session.trainee.to(session.accelerator.device)
        if self.recipe.sync_batchnorm:
            processes, device = session.accelerator.num_processes, session.accelerator.device
            synchronise_batch_norm(self.trainee.model, processes, device)
        for placed in session.stages:
            check_stage(session, placed)
        self.ema = _ema(self.trainee, self.recipe.ema)
        if self.recipe.compile:
            compile_network(self.trainee.model, graphs=session.options.cuda_graphs)
        self.progress = Progress()
        self.figures = LateFigures(self._count, late=session.accelerator.device.type == "cuda")
        self.reporter = Reporter(epochs=self.epochs, shown=session.is_main)
        self.stage: StageRun
        self._can_save = False
        self.saved_at = time.monotonic()

    # The run, from the outside in: fit -> stage -> epoch -> update.

    def fit(self) -> None:
        """Train until the last epoch or until early stopping."""
        state = self.restore()
        if state is None:
            self.initialise()
        try:
            with self._tracked() as board:
                for placed in self.session.stages:
                    if self.progress.epoch < placed.end and not self.progress.stopped:
                        self.train_stage(placed, board, state)
        except Interrupted:
            # Between two updates, or while held-out pictures are scored: all that was done is worth keeping.
            if self._can_save:
                self.save()
            raise
        finally:
            self.reporter.close()

    def initialise(self) -> None:
        """Let the method set weights from the training images."""
        for note in self.trainee.method.initialise(self.trainee.model, self._training_images):
            self.reporter.say(note)
            self.trainee.model.notes.append(note)
        if self.ema:
            self.ema.set(self.trainee)

    def train_stage(self, placed: PlacedStage, board: Board, state: dict[str, Any] | None) -> None:
        """The epochs of a stage that are still to do; `state` is the checkpoint that the run goes on from."""
        self._can_save = False
        self.begin(placed)
        if state and state["stage"] == placed.stage.name:
            self.stage.optimizer.load_state_dict(state["optimizer"])
        self._can_save = True
        while self.progress.epoch < placed.end and not self.progress.stopped:
            self.train_epoch()
            self.finish_epoch(board)
        self.stage.close()

    def begin(self, placed: PlacedStage) -> None:
        """Make a stage the current one."""
        if len(self.session.stages) > 1:
            self.reporter.say(f"stage '{placed.stage.name}': epochs {placed.first + 1} to {placed.end}")
        self.stage = StageRun(self.session, placed)

    def train_epoch(self) -> None:
        """The updates of the epoch that are still to do."""
        p, done = self.progress, self.progress.update
        self.stage.train_mode()
        self.reporter.begin_epoch(p.epoch, done, self.stage.updates_per_epoch)
        order = self.session.order.at(p.epoch)
        # The last update of an epoch may have had fewer batches than the others: after it none is left, not fewer than
        # none.
        order.at(p.epoch, min(done * self.stage.recipe.accumulate, len(order)))
        start = time.perf_counter()
        for group in self.stage.groups():
            with self.interruption.held():
                self.update(group)
                now = time.perf_counter()
                p.add("seconds", now - start)
                start = now
                self._show_step()
                self._save_if_due()
        self.figures.settle()

    def update(self, group: list[Batch]) -> None:
        """One optimiser step on `accumulate` batches."""
        p, stage, accelerator = self.progress, self.stage, self.session.accelerator
        seed_step(self.recipe.seed, p.epoch, p.update, accelerator.process_index)
        stage.schedule.step_update((p.epoch - stage.placed.first) * stage.updates_per_epoch + p.update)
        for i, batch in enumerate(group):
            is_last = i == len(group) - 1
            with nullcontext() if is_last else accelerator.no_sync(stage.wrapped):
                self._backward(batch, len(group))
        if stage.recipe.clip_grad:
            accelerator.clip_grad_norm_(self.trainee.parameters(), stage.recipe.clip_grad)
        stage.optimizer.step()
        stage.optimizer.zero_grad(set_to_none=True)
        p.update += 1
        if self.ema:
            self.ema.update(self.trainee, step=p.epoch * stage.updates_per_epoch + p.update)

    def _backward(self, batch: Batch, parts: int) -> None:
        inputs = self.stage.train_batch(batch)
        losses, scores = self.stage.wrapped(inputs)
        total = torch.stack(list(losses.values())).sum()
        correct = (scores.detach().argmax(1) == hard_labels(inputs.target)).sum()
        place = f"epoch {self.progress.epoch + 1}, batch {self.progress.update + 1}"
        self.figures.add(batch, place, losses, correct)
        self.session.accelerator.backward(total / parts)

    def _count(self, figures: StepFigures) -> None:
        p, s = self.progress, self.session
        losses, correct = figures.fetch()
        if not is_finite(losses):
            pictures = s.records.table["path"].iloc[figures.batch.rows.tolist()].tolist()
            raise diverged(figures.place, losses, pictures, s.run.last)
        size = len(figures.batch.labels)
        p.add("images", size)
        p.add("correct", correct)
        for role, value in losses.items():
            p.add(f"loss/{role}", value * size)

    def finish_epoch(self, board: Board) -> None:
        """Validate, record the epoch, keep the best weights, save."""
        before = copy.deepcopy(self.trainee.criteria.state_dict())
        try:
            self.trainee.criteria.end_epoch()
            row = self._epoch_row(self.progress.sums.get("seconds", 0.0))
        except Interrupted:
            # What is saved is the end of the last update; the epoch is finished after the resume.
            self.trainee.criteria.load_state_dict(before)
            raise
        with self.interruption.held():
            self._close_epoch(row, board)

    def _close_epoch(self, row: dict[str, Any], board: Board) -> None:
        s, p = self.session, self.progress
        seconds = p.sums.get("seconds", 0.0)
        if row["val_top1"] is not None and p.is_better(merit(row)) and s.is_main:
            self._refuse_broken_weights()
            checkpoint.save(s.run.best, {"epoch": p.epoch + 1, "trainee": self.evaluated.state_dict()})
        p.close_epoch(row)
        p.stopped = self._has_run_dry()
        self.save()
        if s.is_main:
            files.write_text(s.run.epochs, history_csv(p.history))
            board.add(row, p.epoch)
        self.reporter.end_epoch(row, seconds * (self.epochs - p.epoch))
        if p.stopped:
            self.reporter.say(
                f"stopped early: nothing better on validation than epoch {p.best_epoch}'s for"
                f" {self.recipe.early_stopping} epochs"
            )

    def _epoch_row(self, seconds: float) -> dict[str, Any]:
        s, p = self.session, self.progress
        images = p.sums.get("images", 0.0) * s.accelerator.num_processes
        row: dict[str, Any] = {
            "epoch": p.epoch + 1,
            **learning_rates(self.stage.optimizer),
            **p.means(),
        }
        if len(s.stages) > 1:
            row["stage"] = self.stage.placed.stage.name
        due = self.stage.validates(p.epoch)
        row |= self.watched("val", s.parts.val, due=due)
        row |= self.watched("test", s.parts.test, due=due and self._watches_test())
        return row | {"seconds": round(seconds, 3), "images_per_second": round(images / max(seconds, 1e-9), 2)}

    def _has_run_dry(self) -> bool:
        """Whether early stopping ends the run; patience counts from the beginning of the last stage."""
        patience, p, last = self.recipe.early_stopping, self.progress, self.session.stages[-1]
        return patience > 0 and p.epoch - max(p.best_epoch, last.first) >= patience

    @property
    def evaluated(self) -> Trainee:
        """The weights that are evaluated: the averaged ones where there are some."""
        module: Trainee = self.ema.module if self.ema else self.trainee
        return module

    def scores(self, trainee: Trainee, rows: Any) -> Any:
        """Scores of rows of the records table, float32 (rows, num_classes)."""
        s = self.session
        how = {"batch_size": self.recipe.batch_size, "workers": s.options.workers}
        self.reporter.begin_scoring(len(rows))
        try:
            return evaluate(trainee, s.eval_pictures, rows, s.scorer, scored=self.reporter.scored, **how)
        finally:
            self.reporter.close()

    def watched(self, part: str, rows: Any, *, due: bool) -> dict[str, float | None]:
        """Top-1 accuracy on rows of the records table, and the error in years of classes that are years; None where it
        is not due or there are none.
        """
        s = self.session
        names = names_of(part, s.records.ages)
        if not due or len(rows) == 0:
            return dict.fromkeys(names)
        scores = self.scores(self.evaluated, rows)
        values = figures_of(scores, s.records.table.iloc[rows], s.records.ages, s.scorer.decoder)
        return dict(zip(names, values, strict=True))

    # Checkpoints.

    def save(self) -> None:
        """Write `checkpoints/last.pt`, unless the weights have become NaN or infinite."""
        self.saved_at = time.monotonic()
        self.figures.settle()
        if not self.session.is_main:
            return
        self._refuse_broken_weights()
        checkpoint.save(self.session.run.last, state_of(self), keep_previous=True)

    def restore(self) -> dict[str, Any] | None:
        """Take up `checkpoints/last.pt` and return it, None where there is none."""
        state, warning = checkpoint.load_latest(self.session.run.last)
        if warning:
            self.reporter.say(warning)
        if state is None:
            return None
        take_up(self, state)
        p = self.progress
        self.reporter.say(
            f"resumed at epoch {p.epoch + 1}, update {p.update + 1}" if p.epoch < self.epochs else "training was over"
        )
        return state

    def _save_if_due(self) -> None:
        if time.monotonic() - self.saved_at >= self.session.options.checkpoint_seconds:
            self.save()

    def _refuse_broken_weights(self) -> None:
        require_finite_weights(
            self.trainee, f"epoch {self.progress.epoch + 1}, batch {self.progress.update}", self.session.run.last
        )

    # Small parts.

    def _training_images(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Training images as evaluation shows them (first view), normalised, and labels, for `Method.initialise`."""
        s = self.session
        loader = eval_loader(s.eval_pictures, s.parts.train, batch_size=s.recipe.batch_size, workers=s.options.workers)
        for batch in batches(loader):
            yield s.scorer.inputs(batch.images[:, 0]), batch.labels.to(s.accelerator.device)

    def _watches_test(self) -> bool:
        every = self.recipe.test_every
        return every > 0 and (self.progress.epoch + 1) % every == 0

    def _tracked(self) -> AbstractContextManager[Board]:
        s = self.session
        return tracked(s.options.tracker, s.run, self.recipe, self.progress.epoch, is_main=s.is_main)

    def _show_step(self) -> None:
        if "images" not in self.progress.sums:  # a GPU's first step is still under way
            return
        sums, means = self.progress.sums, self.progress.means()
        speed = sums["images"] * self.session.accelerator.num_processes / max(sums["seconds"], 1e-9)
        self.reporter.step(self.progress.update, means["train_loss"], means["train_accuracy"], speed)


def _ema(trainee: nn.Module, decay: float) -> Any:
    if not decay:
        return None
    from timm.utils import ModelEmaV3

    # Warm-up: early in a short run a fixed decay would average in the untrained weights.
    return ModelEmaV3(trainee, decay=decay, use_warmup=True)
