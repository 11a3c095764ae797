"""Pictures from anywhere, as batches of evaluation views; one that can't be read is told of and stops nobody.

Training refuses a data set with a broken file (`loading.py`); who classifies ten thousand photographs wants the answers
for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from finegrained_crl.data import workers as loader_processes
from finegrained_crl.data.images import image_pixels, read_image
from finegrained_crl.data.transforms import EvalTransform
from finegrained_crl.errors import FinegrainedError


class Item(NamedTuple):
    """One picture to classify.

    Attributes:
        picture: a file, Pillow's image, or uint8 (height, width, 3) RGB pixels.
        name: what rows and errors call it.
        label: its class as the user's table states it, "" where nobody does.
    """

    picture: Any
    name: str
    label: str = ""


class ReadBatch(NamedTuple):
    """Pictures that could be read, and what is wrong with the others.

    Attributes:
        names: of the pictures that could be read.
        labels: as stated of each, "" where nobody does.
        images: uint8, (batch, views, height, width, 3); (0,) where none could be read.
        errors: (name, why) of each that could not.
    """

    names: list[str]
    labels: list[str]
    images: torch.Tensor
    errors: list[tuple[str, str]]


class Views(Dataset[Any]):
    """The evaluation views behind a place in a list of items.

    Args:
        items: what to read.
        transform: cuts the views.
        convert: convert CMYK, 16-bit and transparent pictures instead of refusing them.
    """

    def __init__(self, items: Sequence[Item], transform: EvalTransform, *, convert: bool) -> None:
        self.items, self.transform, self.convert = items, transform, convert

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> tuple[Item, torch.Tensor | FinegrainedError]:
        item = self.items[place]
        try:
            views = self.transform(pixels_of(item, convert=self.convert))
        except FinegrainedError as error:
            return Item(None, item.name, item.label), error
        return Item(None, item.name, item.label), torch.from_numpy(np.ascontiguousarray(views))


def pixels_of(item: Item, *, convert: bool) -> np.ndarray:
    """The pixels of an item, uint8 (height, width, 3).

    Raises:
        FinegrainedError: it can't be read, or needs `convert`.
        ValueError: an array of another shape or type.
    """
    if isinstance(item.picture, Path):
        return read_image(item.picture, convert=convert)
    if isinstance(item.picture, np.ndarray):
        return _checked(item.picture, item.name)
    return image_pixels(item.picture, item.name, convert=convert)


def _checked(pixels: np.ndarray, name: str) -> np.ndarray:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            f"{name}: expected uint8 pixels (height, width, 3) in RGB, got {pixels.dtype} {pixels.shape}; convert it"
            " with PIL.Image.fromarray(..).convert('RGB')"
        )
    return pixels


def collate(read: list[tuple[Item, torch.Tensor | FinegrainedError]]) -> ReadBatch:
    """The pictures of a batch that could be read, stacked, and the errors of the others."""
    good = [(item, views) for item, views in read if isinstance(views, torch.Tensor)]
    errors = [(item.name, str(error)) for item, error in read if isinstance(error, FinegrainedError)]
    # In a worker this stacks into shared memory; stacking first would write all pixels twice.
    images = default_collate([views for _, views in good]) if good else torch.empty(0, dtype=torch.uint8)
    return ReadBatch([item.name for item, _ in good], [item.label for item, _ in good], images, errors)


def read_batches(views: Views, *, batch_size: int, workers: int) -> Iterator[ReadBatch]:
    """All items in their order, decoded in loader processes.

    Args:
        views: the items.
        batch_size: items per batch.
        workers: loader processes; 0: in this one.
    Raises:
        FinegrainedError: a loader process died.
    """
    in_workers: dict[str, Any] = {}
    if workers:
        in_workers = {"worker_init_fn": loader_processes.prepare, "timeout": loader_processes.SECONDS}
    loader: DataLoader[Any] = DataLoader(
        views, batch_size=batch_size, num_workers=workers, collate_fn=collate, **in_workers
    )
    with loader_processes.deaths_told():
        yield from loader


def stream_batches(items: Iterable[Item], views: Views, *, batch_size: int) -> Iterator[ReadBatch]:
    """Items that come one after the other (frames of a video), in this process, a batch as soon as it is full."""
    waiting: list[Any] = []
    for item in items:
        waiting.append(Views([item], views.transform, convert=views.convert)[0])
        if len(waiting) == batch_size:
            yield collate(waiting)
            waiting = []
    if waiting:
        yield collate(waiting)
