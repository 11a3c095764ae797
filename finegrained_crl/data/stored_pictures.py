"""The memory and the device route: pictures out of a store, whole batches cut at once where only cutting is left to do.

Every route gives the same pixels for the same (seed, epoch, row).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finegrained_crl.data.loading import Batch, Key, PerImage, Pictures
from finegrained_crl.data.picture_store import PictureStore
from finegrained_crl.data.records import Records
from finegrained_crl.data.transforms import EvalTransform, TrainTransform
from finegrained_crl.data.windows import Ints, Windows, cut, only_cuts


class StoredPictures(Pictures):
    """`Pictures` that were decoded and prepared before.

    Args:
        records: which pictures.
        transform: augmentation, or evaluation views.
        cutter: of a store with the prepared pictures of `rows`, from `make_cutter`.
        rows: int64, (n,), row of the records table of each picture in the store.
        per_image: what the method does to each augmented picture.
    """

    def __init__(
        self,
        records: Records,
        transform: TrainTransform | EvalTransform,
        cutter: Cutter,
        rows: Ints,
        *,
        per_image: PerImage | None = None,
    ) -> None:
        super().__init__(records, transform, convert=True, per_image=per_image)
        self.store, self.cutter = cutter.store, cutter
        self.places = np.full(len(records), -1, np.int64)
        self.places[rows] = np.arange(len(rows))

    @property
    def in_batches(self) -> bool:
        """Whether a batch is nothing but windows of prepared pictures."""
        transform = self.transform
        return isinstance(transform, EvalTransform) or (only_cuts(transform.settings) and self.per_image is None)

    def prepared(self, row: int) -> np.ndarray:
        """A picture of the store."""
        return self.store.picture(int(self._places(np.array([row]))[0]))

    def _places(self, rows: Ints) -> Ints:
        places = self.places[rows]
        if (places < 0).any():
            raise KeyError(f"row {rows[places < 0][0]} is not in the store")
        return places

    def loader(self, batch_sampler: Any, *, workers: int, persistent: bool = False) -> Iterable[Any]:
        """Loader over the batches of a sampler: in this process, or in workers where more than cuts are left to do."""
        if self.in_batches:
            return StoredBatches(self, batch_sampler)
        return super().loader(batch_sampler, workers=workers, persistent=persistent)

    def batch(self, keys: list[Key]) -> Batch:
        """The batch of some (epoch, row) keys."""
        epochs, rows = np.array(keys, np.int64).T
        places, transform = self._places(rows), self.transform
        windows = transform.windows(epochs, rows, self.store.heights[places], self.store.widths[places])
        images = self.cutter(places, windows, transform.settings.image_size)
        if isinstance(transform, TrainTransform):
            images = images[:, 0]
        return Batch(images, torch.from_numpy(self.labels[rows].astype(np.int64)), torch.from_numpy(rows))


class StoredBatches:
    """Loader over the batches of a sampler, cut in this process.

    Args:
        pictures: of a store, `in_batches`.
        batch_sampler: lists of keys.
    """

    def __init__(self, pictures: StoredPictures, batch_sampler: Iterable[list[Key]]) -> None:
        self.pictures, self.batch_sampler = pictures, batch_sampler

    def __iter__(self) -> Iterator[Batch]:
        for keys in self.batch_sampler:
            yield self.pictures.batch(keys)


class _MemoryCutter:
    """Cuts batches in the main memory."""

    def __init__(self, store: PictureStore) -> None:
        self.store, self.pin = store, torch.cuda.is_available()

    def __call__(self, places: Ints, windows: Windows, size: int) -> Tensor:
        count, views = windows.tops.shape
        images = torch.zeros((count, views, size, size, 3), dtype=torch.uint8, pin_memory=self.pin)
        out = images.numpy()
        tops, lefts, mirrored = (values.tolist() for values in windows)
        for i, place in enumerate(places.tolist()):
            picture = self.store.picture(place)
            for view in range(views):
                cut(picture, tops[i][view], lefts[i][view], mirrored[i][view], out[i, view])
        return images


class _DeviceCutter:
    """Cuts batches on a device that holds the whole store; only a few numbers per picture are copied to it."""

    def __init__(self, store: PictureStore, device: torch.device) -> None:
        self.store, self.device = store, device
        black = np.zeros((1, 3), np.uint8)  # what lies outside of a picture
        self.pixels = torch.from_numpy(np.concatenate([black, store.pixels])).to(device)
        sides = np.stack([store.starts + 1, store.heights, store.widths])
        self.sides = torch.from_numpy(sides).to(device)

    def __call__(self, places: Ints, windows: Windows, size: int) -> Tensor:
        starts, heights, widths = self.sides[:, self._to_device(places)][..., None, None]  # (n, 1, 1) each
        tops, lefts, mirrored = (self._to_device(values)[..., None] for values in windows)  # (n, views, 1)
        steps = torch.arange(size, device=self.device)
        lines = tops + steps  # (n, views, size)
        columns = lefts + torch.where(mirrored, size - 1 - steps, steps)
        inside = ((lines >= 0) & (lines < heights))[..., :, None] & ((columns >= 0) & (columns < widths))[..., None, :]
        pixels = (starts + lines * widths)[..., :, None] + columns[..., None, :]
        return self.pixels[torch.where(inside, pixels, 0)]

    def _to_device(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, non_blocking=True)


Cutter = _MemoryCutter | _DeviceCutter


def make_cutter(store: PictureStore, device: torch.device | None = None) -> Cutter:
    """What cuts batches out of a store; None: in the main memory. On a device it holds a copy of the whole store."""
    return _DeviceCutter(store, device) if device else _MemoryCutter(store)


def picture_paths(records: Records, rows: Ints) -> list[Path]:
    """The files of some rows."""
    return [records.root / path for path in records.table["path"].iloc[rows]]
