"""From scores to what a run says of each picture: the rows of `fgcrl predict`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.decision import ranking

TOP = 5


@dataclass(frozen=True)
class Answers:
    """How scores are told.

    Attributes:
        class_names: class index -> name.
        choose: the class of each picture, float (batch, num_classes) -> int64 (batch,).
        top: how many of the most probable classes a row names.
    """

    class_names: Sequence[str]
    choose: Callable[[np.ndarray], np.ndarray]
    top: int = TOP

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a row, in their order."""
        return ("path", "class", "label", "probability", f"top{self.top}_classes", f"top{self.top}_probabilities")

    def rows(self, names: Sequence[str], scores: np.ndarray) -> list[dict[str, Any]]:
        """A row per picture.

        Args:
            names: what each picture is called.
            scores: float, (batch, num_classes).
        """
        probabilities, chosen = softmax(scores), self.choose(scores)
        best = ranking(scores)[:, : self.top]
        return [self._row(name, probabilities[i], int(chosen[i]), best[i]) for i, name in enumerate(names)]

    def _row(self, name: str, probabilities: np.ndarray, chosen: int, best: np.ndarray) -> dict[str, Any]:
        top_names = "|".join(self.class_names[label] for label in best)
        top_shares = "|".join(f"{probabilities[label]:.6f}" for label in best)
        share = round(float(probabilities[chosen]), 6)
        values = (name, self.class_names[chosen], chosen, share, top_names, top_shares)
        return dict(zip(self.columns, values, strict=True))
