"""From scores to a class, once for the whole toolkit: evaluation, `predict`, `explain` and reports all choose here."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.ordinal import Decoder, decode


def choose(logits: ArrayLike, decoder: Decoder = "argmax") -> NDArray[np.int64]:
    """The class of each picture.

    Args:
        logits: float, (batch, num_classes).
        decoder: "argmax" for classes without an order; see `decode` for the others.
    Returns:
        int64, (batch,), class index. With "argmax" a tie goes to the lower index.

    >>> choose([[2.0, 1.9, 1.9], [0.0, 0.0, 9.0]], "median").tolist()
    [1, 2]
    """
    scores = np.asarray(logits)
    if decoder == "argmax":
        # From the logits: two that differ may round to one probability.
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)
    return decode(softmax(scores), decoder)


def ranking(logits: ArrayLike) -> NDArray[np.int64]:
    """The classes of each picture, highest score first, ties by index: (batch, num_classes)."""
    return np.asarray(np.argsort(-np.asarray(logits, dtype=np.float64), axis=1, kind="stable"), dtype=np.int64)
