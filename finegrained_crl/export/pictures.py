"""Real pictures to hold an exported model against: those that the run was tested on, and trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finegrained_crl.data.picture_source import is_there
from finegrained_crl.data.reading import Item, read_batches
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.predictor import Predictor


@dataclass(frozen=True)
class Sample:
    """Pictures as the network sees them.

    Attributes:
        pixels: float32, (n, 3, height, width), in [0, 255]; the first view of each picture.
        labels: int64, (n,), -1 where nobody states one.
    """

    pixels: np.ndarray
    labels: np.ndarray


def held_out_pictures(predictor: Predictor, count: int) -> Sample:
    """Pictures of the run's test part, evenly taken from all of it.

    Raises:
        FinegrainedError: they are not where they were.
    """
    run = predictor.run
    frame = pd.read_parquet(run.checked(run.predictions), columns=["path", "label", "part", "weights"])
    rows = frame[(frame["part"] == "test") & (frame["weights"] == predictor.which)]
    return _sample(predictor, rows, count)


def training_pictures(predictor: Predictor, count: int) -> Sample:
    """Pictures that the run was trained on, evenly taken from all of them.

    Raises:
        FinegrainedError: they are not where they were.
    """
    run = predictor.run
    stored = run.read_data()
    frame = stored.require_pictures() if stored else pd.DataFrame({"id": [], "path": [], "label": [], "split": []})
    evaluated = pd.read_parquet(run.checked(run.predictions), columns=["id"])["id"]
    rows = frame[~frame["id"].isin(evaluated)]
    if (rows["split"] == "train").any():
        rows = rows[rows["split"] == "train"]
    return _sample(predictor, rows, count)


def _sample(predictor: Predictor, rows: pd.DataFrame, count: int) -> Sample:
    chosen = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))]
    root = Path(predictor.run.read_results()["data"]["root"])
    items = [
        Item(root / path, str(root / path), str(label))
        for path, label in zip(chosen["path"], chosen["label"], strict=True)
    ]
    if not items or not is_there(items[0].picture):
        raise FinegrainedError(
            f"the pictures of the run are no longer in {root}: an export is checked on them; put them back, or name"
            " others with --pictures"
        )
    return read_sample(predictor, items)


def read_sample(predictor: Predictor, items: list[Item]) -> Sample:
    """Items as the network sees them; a label is a class index as text, or "".

    Raises:
        FinegrainedError: one can't be read.
    """
    pixels, labels = [], []
    for batch in read_batches(predictor.reader(items), batch_size=32, workers=0):
        if batch.errors:
            raise FinegrainedError(batch.errors[0][1])
        pixels.append(batch.images[:, 0].permute(0, 3, 1, 2).float().numpy())
        labels += [int(label) if label else -1 for label in batch.labels]
    return Sample(np.concatenate(pixels), np.array(labels, dtype=np.int64))
