"""From scores to what a run says of each picture: the rows of `fgcrl predict`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finegrained_crl.metrics.age_intervals import AgeInterval
from finegrained_crl.metrics.ages import AgeScale, decode_ages
from finegrained_crl.metrics.decision import ranking
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.metrics.selective import Threshold
from finegrained_crl.training.calibrations import PLAIN, Calibration

TOP = 5


@dataclass(frozen=True)
class AgeTeller:
    """From scores to an age in years.

    Attributes:
        scale: the years of the classes.
        decoder: how an age is taken from the probabilities.
        calibration: how scores become probabilities.
        interval: the ends of an interval are told too; None: they are not.
    """

    scale: AgeScale
    decoder: Decoder
    calibration: Calibration = PLAIN
    interval: AgeInterval | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a row."""
        return ("age", "age_low", "age_high") if self.interval else ("age",)

    def said(self, scores: np.ndarray) -> np.ndarray:
        """The age of each picture, float (batch,)."""
        return decode_ages(self.calibration.probabilities(scores), self.scale, self.decoder)

    def rows(self, scores: np.ndarray) -> list[dict[str, Any]]:
        """Ages in years, to a hundredth, of one picture at least."""
        said = self.said(scores)
        columns = [said, *(self.interval.ends(said, self.scale) if self.interval else ())]
        rounded = np.stack(columns, axis=1).round(2).tolist()
        return [dict(zip(self.columns, row, strict=True)) for row in rounded]


@dataclass(frozen=True)
class Answers:
    """How scores are told.

    Attributes:
        class_names: class index -> name.
        choose: the class of each picture, float (batch, num_classes) -> int64 (batch,).
        top: how many of the most probable classes a row names.
        calibration: how scores become probabilities.
        threshold: rows abstain where the chosen class's probability lies below it; None: none does.
        ages: how ages in years are told; None: the classes are no years.
    """

    class_names: Sequence[str]
    choose: Callable[[np.ndarray], np.ndarray]
    top: int = TOP
    calibration: Calibration = PLAIN
    threshold: Threshold | None = None
    ages: AgeTeller | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a row, in their order; what was done to the probabilities stands in the last one, where something was."""
        best = (f"top{self.top}_classes", f"top{self.top}_probabilities")
        abstained = () if self.threshold is None else ("abstained",)
        calibration = () if self.calibration.text == "none" else ("calibration",)
        ages = () if self.ages is None else self.ages.columns
        return ("path", "class", "label", "probability", *ages, *best, *abstained, *calibration)

    def rows(self, names: Sequence[str], scores: np.ndarray) -> list[dict[str, Any]]:
        """A row per picture.

        Args:
            names: what each picture is called.
            scores: float, (batch, num_classes).
        """
        if not names:  # nothing of the batch could be read
            return []
        probabilities, chosen = self.calibration.probabilities(scores), self.choose(scores)
        best = ranking(scores)[:, : self.top]
        told = self.ages.rows(scores) if self.ages else [{}] * len(names)
        return [self._row(name, probabilities[i], int(chosen[i]), best[i], told[i]) for i, name in enumerate(names)]

    def _row(
        self, name: str, probabilities: np.ndarray, chosen: int, best: np.ndarray, ages: dict[str, Any]
    ) -> dict[str, Any]:
        top_names = "|".join(self.class_names[label] for label in best)
        top_shares = "|".join(f"{probabilities[label]:.6f}" for label in best)
        share = round(float(probabilities[chosen]), 6)
        values = {"class": self.class_names[chosen], "label": chosen, "probability": share}
        values |= {f"top{self.top}_classes": top_names, f"top{self.top}_probabilities": top_shares}
        if self.threshold is not None:
            # Of the exact value: a row must not abstain because six digits are printed.
            values["abstained"] = bool(probabilities[chosen] < self.threshold.confidence)
        row = {"path": name, **values, **ages, "calibration": self.calibration.text}
        return {column: row[column] for column in self.columns}


def confidence(scores: np.ndarray, chosen: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probability of the chosen class of each picture, float (batch,)."""
    return np.asarray(calibration.probabilities(scores)[np.arange(len(chosen)), chosen])
