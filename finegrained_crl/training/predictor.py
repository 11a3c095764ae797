"""Predictions of a finished run for pictures from anywhere."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from finegrained_crl.data.images import IMAGE_SUFFIXES, read_image
from finegrained_crl.data.loading import normaliser
from finegrained_crl.data.transforms import EvalTransform
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.ordinal import Decoder, decode
from finegrained_crl.training import checkpoint
from finegrained_crl.training.device import make_accelerator, memory_format
from finegrained_crl.training.recipe import recipe_from_dict
from finegrained_crl.training.run import RunFolder
from finegrained_crl.training.session import image_settings, make_trainee

TOP = 5


class Predictor:
    """The model of a finished run, ready to classify.

    Args:
        folder: run folder.
        weights: "last" or "selected" (on validation); None: the run's headline.
        device: "auto" or "cpu".
    Raises:
        FinegrainedError: no finished run, or not those weights.
    """

    def __init__(self, folder: Path, *, weights: Literal["last", "selected"] | None = None, device: str = "auto") -> None:
        run = RunFolder(folder)
        results = run.read_results()
        self.class_names: list[str] = results["class_names"]
        self.decoder: Decoder = results["protocol"].get("decoder", "argmax")
        # The run's own weights replace whatever the backbone began with, which may be gone or need a network.
        self.recipe = recipe_from_dict(run.read_recipe()).replace(weights="none")
        which = weights or results["headline"]
        if not run.weights(which).is_file():
            raise FinegrainedError(f"{folder} has no '{which}' weights ({run.weights(which).name}): the run had no validation part")
        self.trainee = make_trainee(self.recipe, len(self.class_names))
        self.trainee.model.exported().load_state_dict(checkpoint.load_weights_file(run.weights(which)))
        if run.criteria(which).is_file():
            self.trainee.criteria.load_state_dict(checkpoint.load_weights_file(run.criteria(which)))
        self.accelerator: Any = make_accelerator(self.recipe.precision, device)
        self.layout = memory_format(self.recipe.memory_format)
        self.trainee = self.trainee.to(self.accelerator.device).to(memory_format=self.layout).eval()
        self.normalise = normaliser(self.trainee.model.mean, self.trainee.model.std, self.accelerator.device)

    def predict(self, paths: list[Path], *, batch_size: int = 32, convert: bool | None = None) -> pd.DataFrame:
        """Classify pictures with the run's own views.

        Args:
            paths: image files.
            batch_size: pictures per forward pass.
            convert: convert CMYK, 16-bit and transparent pictures; None: as the run did.
        Returns:
            columns path, class, label, probability, top5_classes and top5_probabilities (separated by "|"), one row per picture.
        Raises:
            FinegrainedError: a picture that can't be read.
        """
        convert = self.recipe.convert_images if convert is None else convert
        transform = EvalTransform(image_settings(self.recipe))
        rows = []
        for start in range(0, len(paths), batch_size):
            chunk = paths[start : start + batch_size]
            scores = self._scores(np.stack([transform(read_image(path, convert=convert)) for path in chunk]))
            rows += [self._row(path, p) for path, p in zip(chunk, softmax(scores), strict=True)]
        return pd.DataFrame(rows)

    def _scores(self, views: np.ndarray) -> np.ndarray:
        images = self.normalise(torch.from_numpy(views)).contiguous(memory_format=self.layout)
        with torch.inference_mode(), self.accelerator.autocast():
            scores = self.trainee.scores(images).float()
        return np.asarray(scores.unflatten(0, (-1, views.shape[1])).mean(1).cpu())

    def _row(self, path: Path, probabilities: np.ndarray) -> dict[str, Any]:
        order = np.argsort(-probabilities, kind="stable")[:TOP]
        chosen = int(decode(probabilities[None], self.decoder)[0])
        return {
            "path": str(path),
            "class": self.class_names[chosen],
            "label": chosen,
            "probability": round(float(probabilities[chosen]), 6),
            "top5_classes": "|".join(self.class_names[i] for i in order),
            "top5_probabilities": "|".join(f"{probabilities[i]:.6f}" for i in order),
        }


def find_pictures(given: str, path_column: str = "path") -> list[Path]:
    """The image files that an argument means: a picture, a folder (searched below), a glob pattern, or a CSV with a path column.

    Raises:
        FinegrainedError: nothing there, or a CSV without that column.
    """
    path = Path(given)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    elif path.suffix.lower() == ".csv" and path.is_file():
        found = _from_csv(path, path_column)
    elif path.is_file():
        found = [path]
    else:
        found = [Path(p) for p in sorted(glob.glob(given, recursive=True)) if Path(p).suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise FinegrainedError(f"no picture found for {given} (looked in {Path.cwd()}): give a file, a folder, a quoted glob or a CSV")
    return found


def _from_csv(path: Path, column: str) -> list[Path]:
    table = pd.read_csv(path, dtype=str)
    if column not in table:
        raise FinegrainedError(f"{path} has no column '{column}': {nearest(column, table.columns)}; choose with --path-column")
    return [path.parent / name for name in table[column].dropna()]
