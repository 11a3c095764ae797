"""The training loop: epochs of updates, validation, checkpoints; a run may stop anywhere and go on as if it had not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from finegrained_crl import files
from finegrained_crl.data.loading import Batch, batches
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.classification import top1_accuracy
from finegrained_crl.training import checkpoint, optim
from finegrained_crl.training.device import seed_step
from finegrained_crl.training.evaluate import evaluate
from finegrained_crl.training.history import Progress, history_csv
from finegrained_crl.training.method import Trainee
from finegrained_crl.training.reporter import Reporter
from finegrained_crl.training.targets import Targets, hard_labels

if TYPE_CHECKING:
    from finegrained_crl.training.session import Session


class Loop:
    """Trains the session's model to the end of its recipe, from wherever its run folder says that it stands."""

    def __init__(self, session: Session) -> None:
        s = self.session = session
        recipe = self.recipe = s.recipe
        self.trainee = s.trainee
        self.frozen = optim.freeze(self.trainee, recipe.freeze)
        self.ema = _ema(self.trainee, recipe.ema)
        optimizer = optim.make_optimizer(self.trainee, recipe)
        self.updates_per_epoch = -(-len(s.order.at(0)) // recipe.accumulate)
        self.schedule = optim.make_schedule(optimizer, recipe, self.updates_per_epoch)
        self.wrapped, self.optimizer = s.accelerator.prepare(self.trainee, optimizer)
        self.targets = Targets(recipe, s.records.num_classes, self.trainee.criterion)
        self.progress = Progress()
        self.reporter = Reporter(epochs=recipe.epochs, updates_per_epoch=self.updates_per_epoch, shown=s.is_main)
        self.saved_at = time.monotonic()

    # The run, from the outside in: fit -> epoch -> update.

    def fit(self) -> None:
        """Train until the last epoch or until early stopping."""
        self.restore()
        try:
            with _tensorboard(self.session, self.progress.epoch) as board:
                while self.progress.epoch < self.recipe.epochs and not self.progress.stopped:
                    self.train_epoch()
                    self.finish_epoch(board)
        finally:
            self.reporter.close()

    def train_epoch(self) -> None:
        """The updates of the epoch that are still to do."""
        p, done = self.progress, self.progress.update
        self.wrapped.train()
        for module in self.frozen:
            module.eval()
        self.reporter.begin_epoch(p.epoch, done)
        self.session.order.at(p.epoch, done * self.recipe.accumulate)
        start = time.perf_counter()
        for group in self.groups():
            self.update(group)
            now = time.perf_counter()
            p.add("seconds", now - start)
            start = now
            self._show_step()
            self._save_if_due()

    def groups(self) -> Iterator[list[Batch]]:
        """The batches of each update, from where `session.order` was set to."""
        group: list[Batch] = []
        for batch in batches(self.session.train_loader):
            group.append(batch)
            if len(group) == self.recipe.accumulate:
                yield group
                group = []
        if group:
            yield group

    def update(self, group: list[Batch]) -> None:
        """One optimiser step on `recipe.accumulate` batches."""
        p, r = self.progress, self.recipe
        seed_step(r.seed, p.epoch, p.update, self.session.accelerator.process_index)
        self.schedule.step_update(p.epoch * self.updates_per_epoch + p.update)
        for i, batch in enumerate(group):
            is_last = i == len(group) - 1
            with nullcontext() if is_last else self.session.accelerator.no_sync(self.wrapped):
                self._backward(batch, len(group))
        if r.clip_grad:
            self.session.accelerator.clip_grad_norm_(self.trainee.parameters(), r.clip_grad)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        p.update += 1
        if self.ema:
            self.ema.update(self.trainee, step=p.epoch * self.updates_per_epoch + p.update)

    def _backward(self, batch: Batch, parts: int) -> None:
        s = self.session
        images = s.normalise(batch.images).contiguous(memory_format=s.memory_format)
        images, target = self.targets(images, batch.labels.to(s.accelerator.device, non_blocking=True))
        losses, scores = self.wrapped(images, target)
        total = torch.stack(list(losses.values())).sum()
        correct = (scores.detach().argmax(1) == hard_labels(target)).sum()
        # One transfer for all figures: each would make the GPU wait.
        *values, hits = torch.stack([*(v.detach().float() for v in losses.values()), correct.float()]).tolist()
        self._count(batch, dict(zip(losses, values, strict=True)), hits)
        s.accelerator.backward(total / parts)

    def _count(self, batch: Batch, losses: dict[str, float], correct: float) -> None:
        total = sum(losses.values())
        if not abs(total) < float("inf"):  # true for NaN too
            raise FinegrainedError(self._not_finite(losses, batch))
        size = len(batch.labels)
        self.progress.add("images", size)
        self.progress.add("correct", correct)
        for role, value in losses.items():
            self.progress.add(f"loss/{role}", value * size)

    def _not_finite(self, losses: dict[str, float], batch: Batch) -> str:
        p, s = self.progress, self.session
        named = ", ".join(f"{role} loss {value}" for role, value in losses.items())
        names = ", ".join(s.records.table["path"].iloc[batch.rows.tolist()])
        kept = f"the last good checkpoint is kept in {s.run.last}" if s.run.last.exists() else "no checkpoint was written yet"
        return (
            f"training diverged in epoch {p.epoch + 1}, batch {p.update + 1}: {named}; images: {names}; {kept}; "
            "lower --lr, or set --clip-grad 1 or --precision fp32"
        )

    def finish_epoch(self, board: Any) -> None:
        """Validate, record the epoch, keep the best weights, save."""
        s, p = self.session, self.progress
        criterion: Any = self.trainee.criterion
        if hasattr(criterion, "end_epoch"):
            criterion.end_epoch()  # losses with a schedule of their own (POD)
        seconds, images = p.sums.get("seconds", 0.0), p.sums.get("images", 0.0) * s.accelerator.num_processes
        row: dict[str, Any] = {"epoch": p.epoch + 1, "lr": max(g["lr"] for g in self.optimizer.param_groups), **p.means()}
        row |= {"val_top1": self.top1(s.parts.val), "test_top1": self.top1(s.parts.test) if self._watches_test() else None}
        row |= {"seconds": round(seconds, 3), "images_per_second": round(images / max(seconds, 1e-9), 2)}
        if row["val_top1"] is not None and p.is_better(row["val_top1"]) and s.is_main:
            self._refuse_broken_weights()
            checkpoint.save(s.run.best, {"epoch": p.epoch + 1, "trainee": self.evaluated.state_dict()})
        p.close_epoch(row)
        patience = self.recipe.early_stopping
        p.stopped = patience > 0 and p.epoch - p.best_epoch >= patience
        self.save()
        if s.is_main:
            files.write_text(s.run.epochs, history_csv(p.history))
            for key, value in row.items():
                if key != "epoch" and value is not None:
                    board.add_scalar(key, value, p.epoch)
        self.reporter.end_epoch(row, seconds * (self.recipe.epochs - p.epoch))
        if p.stopped:
            self.reporter.say(f"stopped early: no better validation accuracy than epoch {p.best_epoch}'s for {patience} epochs")

    @property
    def evaluated(self) -> Trainee:
        """The weights that are evaluated: the averaged ones where there are some."""
        module: Trainee = self.ema.module if self.ema else self.trainee
        return module

    def scores(self, trainee: Trainee, rows: Any) -> Any:
        """Scores of rows of the records table, float32 (rows, num_classes)."""
        s = self.session
        return evaluate(
            trainee,
            s.eval_pictures,
            rows,
            accelerator=s.accelerator,
            normalise=s.normalise,
            batch_size=self.recipe.batch_size,
            workers=s.options.workers,
            memory_format=s.memory_format,
        )

    def top1(self, rows: Any) -> float | None:
        """Top-1 accuracy on rows of the records table, None where there are none."""
        if len(rows) == 0:
            return None
        return top1_accuracy(self.scores(self.evaluated, rows), self.session.records.table["label"].to_numpy()[rows])

    # Checkpoints.

    def save(self) -> None:
        """Write `checkpoints/last.pt`, unless the weights have become NaN or infinite."""
        self.saved_at = time.monotonic()
        if not self.session.is_main:
            return
        self._refuse_broken_weights()
        scaler = self.session.accelerator.scaler
        state = {
            "trainee": self.trainee.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else None,
            "scaler": scaler.state_dict() if scaler else None,
            "progress": self.progress.as_dict(),
        }
        checkpoint.save(self.session.run.last, state)

    def restore(self) -> None:
        """Take up `checkpoints/last.pt` where it exists."""
        run = self.session.run
        if not run.last.is_file():
            return
        state = checkpoint.load(run.last)
        self.trainee.load_state_dict(state["trainee"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"])
        if self.session.accelerator.scaler and state["scaler"]:
            self.session.accelerator.scaler.load_state_dict(state["scaler"])
        self.progress = Progress.from_dict(state["progress"])
        p = self.progress
        self.reporter.say(f"resumed at epoch {p.epoch + 1}, update {p.update + 1}" if p.epoch < self.recipe.epochs else "training was over")

    def _save_if_due(self) -> None:
        if time.monotonic() - self.saved_at >= self.session.options.checkpoint_seconds:
            self.save()

    def _refuse_broken_weights(self) -> None:
        for name, parameter in self.trainee.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                p = self.progress
                raise FinegrainedError(
                    f"weights became NaN or infinite ({name}) by epoch {p.epoch + 1}, batch {p.update}; the checkpoint before is kept "
                    f"in {self.session.run.last}; lower --lr, or set --clip-grad 1"
                )

    # Small parts.

    def _watches_test(self) -> bool:
        every = self.recipe.test_every
        return every > 0 and (self.progress.epoch + 1) % every == 0

    def _show_step(self) -> None:
        sums, means = self.progress.sums, self.progress.means()
        speed = sums["images"] * self.session.accelerator.num_processes / max(sums["seconds"], 1e-9)
        self.reporter.step(self.progress.update, means["train_loss"], means["train_accuracy"], speed)


def _ema(trainee: nn.Module, decay: float) -> Any:
    if not decay:
        return None
    from timm.utils import ModelEmaV3

    # Warm-up: early in a short run a fixed decay would average in the untrained weights.
    return ModelEmaV3(trainee, decay=decay, use_warmup=True)


def _tensorboard(session: Session, epoch: int) -> Any:
    if not session.is_main:
        return nullcontext()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(session.run.tensorboard), purge_step=epoch + 1)
