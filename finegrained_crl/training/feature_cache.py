"""Features of the frozen part of a network, computed once for k views of each image and read in every epoch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from finegrained_crl.data.loading import Batch, batches, keyed_loader
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.training.session import Session

DTYPE = np.float16


class FeatureCache:
    """Half-precision features on disk, (views, images, ..), in the run folder; view v is what epoch v's augmentation
    shows.

    With as many views as epochs an epoch sees exactly the pictures that it would see without the cache; with fewer,
    epoch e sees view e modulo the number of views.

    Args:
        session: the run.
        views: augmented views of each training image.
    """

    def __init__(self, session: Session, views: int) -> None:
        self.session, self.views = session, views
        self.path = session.run.folder / "cache" / f"features_{views}_views.npy"
        self.place = {int(row): i for i, row in enumerate(session.parts.train)}
        self.labels = session.records.table["label"].to_numpy()

    def fill(self) -> None:
        """Compute what is not there yet; one process computes, the others wait.

        Raises:
            FinegrainedError: the disk is too small, or a feature does not fit half precision.
        """
        if self.session.is_main and not self.path.is_file():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._compute()
        self.session.accelerator.wait_for_everyone()
        self.table = np.load(self.path, mmap_mode="r")

    def batches(self) -> Iterator[Batch]:
        """The batches of `session.order`'s epoch, with features instead of images."""
        for keys in self.session.order:
            rows = [row for _, row in keys]
            features = self.table[keys[0][0] % self.views, [self.place[row] for row in rows]]
            yield Batch(torch.from_numpy(features), torch.from_numpy(self.labels[rows]), torch.tensor(rows))

    def remove(self) -> None:
        """Free the disk."""
        self.session.accelerator.wait_for_everyone()
        if self.session.is_main:
            shutil.rmtree(self.path.parent, ignore_errors=True)

    def _compute(self) -> None:
        part = self.path.with_suffix(".part")
        flat: np.ndarray | None = None
        for start, features in self._features():
            if flat is None:
                shape = (self.views, len(self.place), *features.shape[1:])
                self._require_room(shape)
                flat = np.lib.format.open_memmap(part, "w+", DTYPE, shape).reshape(-1, *features.shape[1:])
            flat[start : start + len(features)] = features
        del flat  # writes what is still in memory
        part.replace(self.path)

    def _require_room(self, shape: tuple[int, ...]) -> None:
        needed, free = int(np.prod(shape)) * DTYPE().itemsize, shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise FinegrainedError(
                f"the cached features need {needed / 2**30:.1f} GiB in {self.path.parent}, {free / 2**30:.1f} GiB are"
                " free; cache fewer views, or none"
            )

    def _features(self) -> Iterator[tuple[int, np.ndarray]]:
        s, trainee = self.session, self.session.trainee
        keys = [(view, row) for view in range(self.views) for row in self.place]
        start, was_training = 0, trainee.training
        trainee.eval()
        with torch.inference_mode(), s.accelerator.autocast():
            for batch in batches(
                keyed_loader(s.train_pictures, keys, batch_size=s.recipe.batch_size, workers=s.options.workers)
            ):
                features = trainee.method.features(trainee.model, s.scorer.inputs(batch.images)).float().cpu().numpy()
                if np.abs(features).max(initial=0) > np.finfo(DTYPE).max:
                    raise FinegrainedError(
                        "a feature is too large for the half-precision cache; train this stage without cached views"
                    )
                yield start, features.astype(DTYPE)
                start += len(features)
        trainee.train(was_training)
