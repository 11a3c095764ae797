"""From a run's scores to probabilities that mean what they say: its temperature, or CRL's closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.link import crl_link
from finegrained_crl.metrics.calibration import fit_temperature, softmax
from finegrained_crl.training.run_folder import RunFolder

Kind = Literal["none", "temperature", "link"]


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities.

    Attributes:
        text: what was done, for the output: "none", "temperature 1.83", "link alpha=1.5 beta=1".
        probabilities: float (batch, num_classes) scores -> float64 (batch, num_classes); keeps the order of classes.
    """

    text: str
    probabilities: Callable[[np.ndarray], np.ndarray]


PLAIN = Calibration("none", softmax)


def make_calibration(kind: Kind, run: RunFolder, which: str) -> Calibration:
    """The calibration of a finished run.

    Args:
        kind: "temperature" of the run's validation part, "link" of CRL (see `losses.link`), or "none".
        run: the run.
        which: its weights, "last" or "selected".
    Raises:
        FinegrainedError: the run has no validation part, or CRL's link does not hold for it.
    """
    if kind == "none":
        return PLAIN
    results = run.read_results()
    if kind == "temperature":
        temperature = stored_temperature(run, results, which)
        return Calibration(f"temperature {temperature:.6g}", lambda scores: softmax(scores / temperature))
    alpha, beta = _link_settings(results)
    text = f"link alpha={alpha:g} beta={beta:g}"
    return Calibration(text, lambda scores: crl_link(softmax(scores), alpha, beta))


def stored_temperature(run: RunFolder, results: dict[str, Any], which: str) -> float:
    """The temperature that fits the run's validation part; fitted here for a run that did not store one.

    Raises:
        FinegrainedError: the run has no validation part.
    """
    stored = (results.get("temperatures") or {}).get(which)
    if stored is not None:
        return float(stored)
    frame = validation_rows(run, which, "--calibrate temperature")
    return fit_temperature(np.stack(frame["logits"].to_list()), frame["label"].to_numpy())


def validation_rows(run: RunFolder, which: str, flag: str) -> pd.DataFrame:
    """The run's predictions of its validation part.

    Raises:
        FinegrainedError: it has none.
    """
    frame = pd.read_parquet(run.checked(run.predictions))
    rows = frame[(frame["part"] == "val") & (frame["weights"] == which)]
    if not len(rows):
        raise FinegrainedError(
            f"{flag} needs a run with a validation part, and {run.folder} has none: train with --val-fraction 0.1"
        )
    return rows


def _link_settings(results: dict[str, Any]) -> tuple[float, float]:
    """Alpha and beta of a run whose scores are the logits that CRL trained.

    Raises:
        FinegrainedError: another loss, scores that several losses share, or an alpha without an inverse.
    """
    loss, roles = results["loss"], list(results["roles"])
    advice = "use --calibrate temperature"
    if loss["name"] != "crl":
        raise FinegrainedError(f"--calibrate link is CRL's, and the run's loss is '{loss['name']}': {advice}")
    if len(roles) != 1:
        raise FinegrainedError(f"--calibrate link: the run's scores come from {', '.join(roles)} together: {advice}")
    alpha, beta = float(loss["alpha"]), float(loss["beta"])
    if alpha < math.sqrt(beta):
        raise FinegrainedError(
            f"--calibrate link: alpha {alpha:g} is below sqrt(beta) = {math.sqrt(beta):.4g}, so the link has no"
            f" inverse: {advice}"
        )
    return alpha, beta
