"""From records to batches: which rows, in which order, decoded where."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info

from finegrained_crl.cores import available_cores
from finegrained_crl.data import workers as loader_processes
from finegrained_crl.data.images import read_image
from finegrained_crl.data.records import Records
from finegrained_crl.data.transforms import EvalTransform, TrainTransform
from finegrained_crl.errors import FinegrainedError

Key = tuple[int, int]
"""(epoch, row of the records table): everything that decides what a worker makes."""


PerImage = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, dict[str, np.ndarray]]]
"""What a method does to one augmented uint8 picture (height, width, 3) in a worker: pictures (views, height, width, 3),
and extras."""


class Batch(NamedTuple):
    """Pictures of one step.

    Attributes:
        images: uint8, (batch, height, width, 3) for training, (batch, views, height, width, 3) for evaluation and where
            the method makes views of its own.
        labels: int64, (batch,), class index.
        rows: int64, (batch,), row of the records table.
        extras: what the method added to each picture, (batch, ..) by name.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor
    extras: dict[str, torch.Tensor] = {}  # noqa: RUF012  (a NamedTuple's default; nobody writes into it)


class Pictures(Dataset[Any]):
    """Decodes and transforms the picture behind an (epoch, row) key.

    Args:
        records: which pictures.
        transform: augmentation, or evaluation views.
        convert: convert CMYK, 16-bit and transparent pictures instead of refusing them.
        per_image: what the method does to each augmented picture, given a generator of its own.
    """

    def __init__(
        self,
        records: Records,
        transform: TrainTransform | EvalTransform,
        *,
        convert: bool,
        per_image: PerImage | None = None,
    ) -> None:
        self.paths = (str(records.root) + os.sep + records.table["path"]).to_numpy(dtype=object)
        self.labels = records.table["label"].to_numpy()
        self.transform, self.convert, self.per_image = transform, convert, per_image

    def __getitem__(self, key: Key) -> Any:
        epoch, row = key
        try:
            image = self.prepared(row)
        except FinegrainedError as error:
            # Returned, not raised: a loader wraps what a worker raises into a traceback, and the user needs one line.
            return error
        t = self.transform
        pixels = t.vary(image, epoch, row) if isinstance(t, TrainTransform) else t.cut(image)
        extras: dict[str, np.ndarray] = {}
        if self.per_image and isinstance(t, TrainTransform):
            pixels, extras = self.per_image(pixels, np.random.default_rng((t.seed, epoch, row, 1)))
        return torch.from_numpy(np.ascontiguousarray(pixels)), int(self.labels[row]), row, extras

    def prepared(self, row: int) -> np.ndarray:
        """The picture of a row, decoded and resized."""
        t = self.transform
        return t.prepare(read_image(Path(self.paths[row]), convert=self.convert, least_side=t.least_side))

    def loader(self, batch_sampler: Any, *, workers: int, persistent: bool = False) -> Iterable[Any]:
        """Loader over the batches of a sampler, decoded in worker processes."""
        in_workers: dict[str, Any] = {}
        if workers:
            loader_processes.end_with_this_process()
            in_workers = {"worker_init_fn": loader_processes.prepare, "timeout": loader_processes.SECONDS}
        return DataLoader(
            self,
            num_workers=workers,
            batch_sampler=batch_sampler,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=persistent and workers > 0,
            **in_workers,
        )


def collate(items: list[Any]) -> Batch | FinegrainedError:
    """Stack pictures into a batch; the first unreadable picture, or what keeps a worker from sharing the batch, takes
    its place.
    """
    for item in items:
        if isinstance(item, FinegrainedError):
            return item
    images, labels, rows, extras = zip(*items, strict=True)
    stacked = {name: torch.from_numpy(np.stack([extra[name] for extra in extras])) for name in extras[0]}
    rest = (torch.tensor(labels), torch.tensor(rows), stacked)
    return Batch(torch.stack(images), *rest) if get_worker_info() is None else _shared(images, *rest)


def _shared(
    images: Sequence[torch.Tensor], labels: torch.Tensor, rows: torch.Tensor, extras: dict[str, torch.Tensor]
) -> Batch | FinegrainedError:
    """A batch in shared memory: where there is no room for it, the loader's own thread would lose it."""
    if len({image.shape for image in images}) > 1:
        raise ValueError("pictures of one batch have different sizes: what a method makes of each must be of one size")
    try:
        # In a worker this stacks into shared memory; stacking first would write all pixels twice.
        batch = Batch(default_collate(list(images)), labels, rows, extras)
        for tensor in (*batch[:3], *extras.values()):
            tensor.share_memory_()
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        return FinegrainedError(f"no shared memory for a batch ({reason}); {loader_processes.ADVICE}")
    return batch


@dataclass
class EpochOrder(Sampler[list[Key]]):
    """The batches of an epoch for one process, as a pure function of (seed, epoch), from any batch on.

    Each process takes its own slice of every global batch. The last, partial batch of an epoch is dropped (batch-norm
    statistics of a handful of images would differ) unless `drop_last` is false; a set smaller than a batch is one
    batch.

    Attributes:
        rows: rows to draw from.
        batch_size: images per batch and process.
        seed: of the order.
        weights: (rows,) drawing probabilities, for sampling with replacement; None: each row once.
        rank: this process.
        world: number of processes.
        drop_last: whether a last batch that is not full is left out; if not, its rows are shared out evenly among the
            processes, and fewer than one each are left out, so that none waits for another.
    """

    rows: np.ndarray
    batch_size: int
    seed: int
    weights: np.ndarray | None = None
    rank: int = 0
    world: int = 1
    epoch: int = 0
    start: int = 0
    drop_last: bool = True

    def __len__(self) -> int:
        full, rest = divmod(len(self.rows), self.batch_size * self.world)
        partial = 0 if self.drop_last or rest < self.world else 1
        return max(1, full + partial) - self.start

    def at(self, epoch: int, start: int = 0) -> EpochOrder:
        """Move to an epoch and the batch to begin with; the next iteration starts there."""
        self.epoch, self.start = epoch, start
        return self

    def __iter__(self) -> Iterator[list[Key]]:
        order = self._permuted()
        whole = self.batch_size * self.world
        for step in range(self.start, self.start + len(self)):
            batch = order[step * whole : (step + 1) * whole]
            if not self.drop_last and len(batch) > self.world:
                batch = batch[: len(batch) // self.world * self.world]
            yield [(self.epoch, int(row)) for row in batch[self.rank :: self.world]]

    def _permuted(self) -> np.ndarray:
        random = np.random.default_rng((self.seed, self.epoch))
        if self.weights is None:
            return random.permutation(self.rows)
        return random.choice(self.rows, size=len(self.rows), p=self.weights)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Drawing probabilities, (rows,), that make every class equally frequent.

    >>> balanced_weights(np.array([0, 0, 1])).tolist()
    [0.25, 0.25, 0.5]
    """
    counts = np.bincount(labels)
    weights = 1.0 / counts[labels]
    return np.asarray(weights / weights.sum())


def train_loader(pictures: Pictures, order: EpochOrder, *, workers: int) -> Iterable[Any]:
    """Loader whose epochs are set by `order.at(epoch, start)` before each iteration."""
    return pictures.loader(order, workers=workers, persistent=True)


def eval_loader(pictures: Pictures, rows: np.ndarray, *, batch_size: int, workers: int) -> Iterable[Any]:
    """Loader over the given rows in their order, every row once."""
    return keyed_loader(pictures, [(0, int(row)) for row in rows], batch_size=batch_size, workers=workers)


def keyed_loader(pictures: Pictures, keys: list[Key], *, batch_size: int, workers: int) -> Iterable[Any]:
    """Loader over the given (epoch, row) keys in their order; a batch may hold keys of several epochs."""
    batches_of_keys = [keys[first : first + batch_size] for first in range(0, len(keys), batch_size)]
    return pictures.loader(batches_of_keys, workers=workers)


def batches(loader: Iterable[Any]) -> Iterator[Batch]:
    """The loader's batches; an unreadable picture, or a worker that died, is raised as its one-line error."""
    with loader_processes.deaths_told():
        for batch in loader:
            if isinstance(batch, FinegrainedError):
                raise batch
            yield Batch(*batch)


def bytes_per_picture(pictures: Pictures, row: int) -> int:
    """What one picture takes in a batch, its views and extras included; 0 where it can't be read."""
    item = pictures[(0, row)]
    if isinstance(item, FinegrainedError):
        return 0
    pixels, _, _, extras = item
    return int(pixels.nbytes) + sum(int(extra.nbytes) for extra in extras.values())


def default_workers(on_gpu: bool) -> int:
    """Worker processes where the user named no number: on a CPU the model itself wants the cores."""
    cores = available_cores()
    return min(8, cores) if on_gpu else min(4, cores // 2)
