"""The batches of what a command is to look at: pictures from loader processes, then frames of videos and cameras."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from finegrained_crl.data import workers as loader_processes
from finegrained_crl.data.loading import default_workers
from finegrained_crl.data.reading import ReadBatch, Views, read_batches, stream_batches
from finegrained_crl.data.video import frames, is_camera
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.inputs import Inputs
from finegrained_crl.training.predictor import Predictor

FEW = 4
"""Batches that are read sooner here than by processes that must start first."""


def input_batches(
    predictor: Predictor,
    inputs: Inputs,
    *,
    convert: bool | None = None,
    batch_size: int = 32,
    workers: int = -1,
    every: int = 1,
    most: int | None = None,
) -> Iterator[ReadBatch]:
    """Batches of everything, as the run's evaluation shows it.

    Args:
        predictor: the run.
        inputs: what to look at.
        convert: convert CMYK, 16-bit and transparent pictures; None: as the run did.
        batch_size: pictures per batch.
        workers: loader processes; negative: by the number of cores, none for few pictures.
        every: every N-th frame of a stream.
        most: so many frames of each stream; None: all.
    """
    views = predictor.reader(inputs.items, convert=convert)
    if inputs.items:
        yield from read_batches(views, batch_size=batch_size, workers=fitting_workers(views, batch_size, workers))
    for source in inputs.streams:
        yield from _of_stream(source, views, batch_size, every, most)


def fitting_workers(views: Views, batch_size: int, wished: int) -> int:
    """Loader processes: as wished, or by cores and pictures; none where shared memory can't hold their batches."""
    if wished < 0:
        wished = default_workers(torch.cuda.is_available()) if len(views) > FEW * batch_size else 0
    settings = views.transform.settings
    count = {"single": 1, "flip": 2, "ten-crop": 10}[settings.views]
    workers, _ = loader_processes.that_fit(wished, batch_size * count * 3 * settings.image_size**2)
    return workers


def _of_stream(source: str, views: Views, batch_size: int, every: int, most: int | None) -> Iterator[ReadBatch]:
    """A stream that can't be read is told and stops nobody; an interrupted camera has ended."""
    items = frames(source, every=every, most=most)
    try:
        # Who watches a camera wants an answer now, not one batch later.
        yield from stream_batches(items, views, batch_size=1 if is_camera(source) else batch_size)
    except FinegrainedError as error:
        yield ReadBatch([], [], torch.empty(0, dtype=torch.uint8), [(source, str(error))])
