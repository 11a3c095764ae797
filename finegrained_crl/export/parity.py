"""Whether an exported model says what its run says, on real pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from finegrained_crl.export.formats import Scores
from finegrained_crl.export.network import scoring_network
from finegrained_crl.export.pictures import Sample
from finegrained_crl.training.predictor import Predictor

BATCH = 32
TOLERANCE = 1e-3
"""Largest difference of a logit that arithmetic in another order explains."""


@dataclass(frozen=True)
class Parity:
    """What was compared.

    Attributes:
        pictures: how many.
        largest_difference: of a score.
        top1_agreement: share of pictures for which both choose one class.
        run_accuracy: of the run on these pictures, None where their labels are not known.
        exported_accuracy: of the exported model.
    """

    pictures: int
    largest_difference: float
    top1_agreement: float
    run_accuracy: float | None
    exported_accuracy: float | None

    @property
    def holds(self) -> bool:
        """Whether the difference is one of rounding."""
        return self.largest_difference <= TOLERANCE

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def text(self) -> str:
        """For people."""
        told = (
            f"{self.pictures} pictures: largest difference of a score {self.largest_difference:.2g}, top-1 agreement"
            f" {100 * self.top1_agreement:.2f} %"
        )
        if self.run_accuracy is None or self.exported_accuracy is None:
            return told
        loss = 100 * (self.run_accuracy - self.exported_accuracy)
        accuracies = f"{100 * self.run_accuracy:.2f} % by the run, {100 * self.exported_accuracy:.2f} % exported"
        return f"{told}; top-1 accuracy {accuracies} ({loss:.2f} points lost)"


def compare(predictor: Predictor, exported: Scores, sample: Sample) -> Parity:
    """Score the same pixels by the run and by the exported model, in batches of which the last one is not full."""
    network = scoring_network(predictor)

    def own(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(pixels)))

    expected, answered = (in_batches(scores, sample.pixels) for scores in (own, exported))
    labels = sample.labels
    has_labels = bool((labels >= 0).all())
    accuracies = [float((scores.argmax(1) == labels).mean()) if has_labels else None for scores in (expected, answered)]
    agreement = float((expected.argmax(1) == answered.argmax(1)).mean())
    return Parity(len(labels), float(np.abs(expected - answered).max()), agreement, *accuracies)


def in_batches(scores: Scores, pixels: np.ndarray) -> np.ndarray:
    """Scores of all pixels."""
    return np.concatenate([scores(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)])
