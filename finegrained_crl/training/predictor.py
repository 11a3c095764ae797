"""Predictions of a finished run for pictures from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from finegrained_crl.data.images import read_image
from finegrained_crl.data.transforms import EvalTransform
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.decision import ranking
from finegrained_crl.training import checkpoint
from finegrained_crl.training.assembly import image_settings, make_trainee
from finegrained_crl.training.device import make_accelerator
from finegrained_crl.training.recipe import recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.scorer import make_scorer

TOP = 5


@dataclass(frozen=True)
class Predictions:
    """What a run said of some pictures.

    Attributes:
        table: columns path, class, label, probability, top5_classes and top5_probabilities (separated by "|"), one row
            per picture that could be read.
        errors: path -> why the picture could not be read.
    """

    table: pd.DataFrame
    errors: dict[str, str]


class Predictor:
    """The model of a finished run, ready to classify.

    Args:
        folder: run folder.
        weights: "last" or "selected" (on validation); None: the run's headline.
        device: "auto" or "cpu".
    Raises:
        FinegrainedError: no finished run, or not those weights.
    """

    def __init__(
        self, folder: Path, *, weights: Literal["last", "selected"] | None = None, device: str = "auto"
    ) -> None:
        self.run = RunFolder(folder)
        results = self.run.read_results()
        self.class_names: list[str] = results["class_names"]
        # The run's own weights replace whatever the backbone began with, which may be gone or need a network.
        self.recipe = recipe_from_dict(self.run.read_recipe()).replace(weights="none")
        self.trainee = make_trainee(self.recipe, len(self.class_names))
        self._load(weights or results["headline"])
        accelerator: Any = make_accelerator(self.recipe.precision, device)
        self.scorer = make_scorer(self.trainee, self.recipe, accelerator, ordered=bool(results["data"]["ordered"]))
        self.trainee = self.trainee.to(accelerator.device).to(memory_format=self.scorer.memory_format).eval()
        self.transform = EvalTransform(image_settings(self.recipe))

    def _load(self, which: str) -> None:
        run = self.run
        if not run.weights(which).is_file():
            raise FinegrainedError(
                f"{run.folder} has no '{which}' weights ({run.weights(which).name}): the run had no validation part"
            )
        self.trainee.model.exported().load_state_dict(checkpoint.load_weights_file(run.checked(run.weights(which))))
        if run.loss_weights(which).is_file():
            self.trainee.criteria.load_state_dict(checkpoint.load_weights_file(run.checked(run.loss_weights(which))))

    def predict(self, paths: list[Path], *, batch_size: int = 32, convert: bool | None = None) -> Predictions:
        """Classify pictures with the run's own views; one that can't be read does not stop the others.

        Args:
            paths: image files.
            batch_size: pictures per forward pass.
            convert: convert CMYK, 16-bit and transparent pictures; None: as the run did.
        """
        rows: list[dict[str, Any]] = []
        errors: dict[str, str] = {}
        for start in range(0, len(paths), batch_size):
            views: dict[Path, np.ndarray] = {}
            for path in paths[start : start + batch_size]:
                try:
                    views[path] = self.views(path, convert=convert)
                except FinegrainedError as error:
                    errors[str(path)] = str(error)
            if views:
                rows += self._rows(list(views), self.scores(np.stack(list(views.values()))))
        return Predictions(pd.DataFrame(rows, columns=list(COLUMNS)), errors)

    def views(self, path: Path, *, convert: bool | None = None) -> np.ndarray:
        """A picture as the run's evaluation shows it, uint8 (views, height, width, 3)."""
        return self.transform(read_image(path, convert=self.recipe.convert_images if convert is None else convert))

    def scores(self, views: np.ndarray) -> np.ndarray:
        """Scores of uint8 (batch, views, height, width, 3) pictures, float32 (batch, num_classes)."""
        return self.scorer.scores(self.trainee, torch.from_numpy(views))

    def _rows(self, paths: list[Path], scores: np.ndarray) -> list[dict[str, Any]]:
        probabilities, chosen = softmax(scores), self.scorer.choose(scores)
        best = ranking(scores)[:, :TOP]
        return [self._row(path, probabilities[i], int(chosen[i]), best[i]) for i, path in enumerate(paths)]

    def _row(self, path: Path, probabilities: np.ndarray, chosen: int, best: np.ndarray) -> dict[str, Any]:
        top_names = "|".join(self.class_names[label] for label in best)
        top_shares = "|".join(f"{probabilities[label]:.6f}" for label in best)
        share = round(float(probabilities[chosen]), 6)
        return dict(
            zip(COLUMNS, (str(path), self.class_names[chosen], chosen, share, top_names, top_shares), strict=True)
        )


COLUMNS = ("path", "class", "label", "probability", "top5_classes", "top5_probabilities")
