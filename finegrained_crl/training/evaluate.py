"""Scores of the held-out pictures, every picture exactly once, on one process or many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from finegrained_crl.data.loading import Pictures, batches, eval_loader
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.scorer import Scorer
from finegrained_crl.training.trainee import Trainee


def evaluate(
    trainee: Trainee,
    pictures: Pictures,
    rows: np.ndarray,
    scorer: Scorer,
    *,
    batch_size: int,
    workers: int,
    scored: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Scores of the given rows in their order.

    Args:
        trainee: the (unwrapped) model and criteria; left in the mode that it was in.
        pictures: pictures with an evaluation transform.
        rows: int64, (n,), rows of the records table.
        scorer: from pictures to scores; each process scores its share, all get everything.
        batch_size: pictures per forward pass; views of one picture are passed together.
        workers: loader processes.
        scored: called with the number of pictures of each finished batch.
    Returns:
        float32, (n, num_classes), the mean over the views of a picture.
    Raises:
        FinegrainedError: a score is NaN or infinite, or a picture can't be read.
    """
    world, rank = scorer.accelerator.num_processes, scorer.accelerator.process_index
    loader = eval_loader(pictures, rows[rank::world], batch_size=batch_size, workers=workers)
    was_training = trainee.training
    trainee.eval()
    parts = []
    for batch in batches(loader):
        parts.append(scorer.scores(trainee, batch.images))
        scored(len(batch.labels))
    trainee.train(was_training)
    if not all(np.isfinite(part).all() for part in parts):
        raise FinegrainedError(
            "the model's scores of held-out pictures are NaN or infinite: training diverged; lower --lr, or set"
            " --clip-grad 1"
        )
    return _gather(np.concatenate(parts) if parts else None, len(rows), world)


def _gather(share: np.ndarray | None, total: int, world: int) -> np.ndarray:
    """Interleave the shares of all processes again: share r holds rows r, r + world, r + 2 world .."""
    if world == 1:
        return share if share is not None else np.zeros((0, 0), np.float32)
    from accelerate.utils import gather_object

    shares: list[np.ndarray | None] = gather_object([share])
    filled = [s for s in shares if s is not None]
    out = np.zeros((total, filled[0].shape[1] if filled else 0), np.float32)
    for rank, rows in enumerate(shares):
        if rows is not None:
            out[rank::world] = rows
    return out
