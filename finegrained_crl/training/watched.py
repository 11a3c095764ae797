"""What is watched of a held-out part while training: accuracy, and the error in years where classes are years."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.metrics.ages import AgeAnswers, AgeScale, age_truth, decode_ages
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.classification import top1_accuracy
from finegrained_crl.metrics.ordinal import Decoder


def names_of(part: str, ages: AgeScale | None) -> list[str]:
    """Columns of epochs.csv for a part, "val" or "test"."""
    return [f"{part}_top1", *([f"{part}_mae_years"] if ages else [])]


def figures_of(scores: np.ndarray, table: pd.DataFrame, ages: AgeScale | None, decoder: Decoder) -> list[float]:
    """The values of `names_of`.

    Args:
        scores: (rows, num_classes).
        table: the same rows of the records table.
        ages: of the data set, where its classes are years.
        decoder: from probabilities to an age.
    """
    values = [top1_accuracy(scores, table["label"].to_numpy())]
    truth = age_truth(table, ages)
    if truth:
        answers = AgeAnswers(truth, decode_ages(softmax(scores), truth.scale, decoder))
        values.append(float(np.mean(answers.errors)))
    return values


def merit(row: dict[str, Any]) -> float:
    """By what epochs are chosen on validation: accuracy, or 1 / (1 + error) where classes are years."""
    error = row.get("val_mae_years")
    return float(row["val_top1"]) if error is None else 1 / (1 + float(error))
