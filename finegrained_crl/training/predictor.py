"""Predictions of a finished run for pictures from anywhere.

`load_run` is the way in for Python programs: `from finegrained_crl import load_run`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch

from finegrained_crl.data.identity import clusters
from finegrained_crl.data.images import read_image
from finegrained_crl.data.reading import Item, ReadBatch, Views, read_batches
from finegrained_crl.data.transforms import EvalTransform
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.age_intervals import age_interval
from finegrained_crl.metrics.ages import AgeAnswers, age_truth, scale_from_dict
from finegrained_crl.metrics.catalogue import order_of
from finegrained_crl.metrics.selective import Threshold, risk_threshold
from finegrained_crl.training import checkpoint
from finegrained_crl.training.answers import TOP, AgeTeller, Answers, confidence
from finegrained_crl.training.assembly import image_settings, make_trainee
from finegrained_crl.training.calibrations import Kind, make_calibration, validation_rows
from finegrained_crl.training.device import keep_freed_memory, make_accelerator
from finegrained_crl.training.recipe import recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.scorer import make_scorer

if TYPE_CHECKING:
    from PIL.Image import Image

    Picture = str | Path | Image | np.ndarray

Which = Literal["last", "selected"]


def load_run(folder: str | Path, *, weights: Which | None = None, device: str = "auto") -> Predictor:
    """The model of a finished run, ready to classify.

    Args:
        folder: run folder, the `--out` of `fgcrl finetune`.
        weights: "last" or "selected" (on validation); None: the run's headline.
        device: "auto" or "cpu".
    Raises:
        FinegrainedError: no finished run, or not those weights.

    Example:
        predictor = load_run("runs/first")
        print(predictor.predict(["a.jpg", "b.jpg"]).table)
    """
    return Predictor(Path(folder), weights=weights, device=device)


@dataclass(frozen=True)
class Predictions:
    """What a run said of some pictures.

    Attributes:
        table: columns path, class, label, probability, top5_classes and top5_probabilities (separated by "|"), one row
            per picture that could be read.
        errors: path -> why the picture could not be read.
        scores: float32, (rows, num_classes), of the table's rows, before the softmax.
    """

    table: pd.DataFrame
    errors: dict[str, str]
    scores: np.ndarray


class Predictor:
    """The model of a finished run, ready to classify.

    Args:
        folder: run folder.
        weights: "last" or "selected" (on validation); None: the run's headline.
        device: "auto" or "cpu".
    Attributes:
        face_crop: how the faces that it was trained on were cut out of photographs, as plain values; None: not by
            `fgcrl data prepare faces`.
    Raises:
        FinegrainedError: no finished run, or not those weights.
    """

    def __init__(self, folder: Path, *, weights: Which | None = None, device: str = "auto") -> None:
        self.run = RunFolder(folder)
        results = self.run.read_results()
        if "evaluation" in results:
            run = results["evaluation"]["run"]
            raise FinegrainedError(f"{folder} is an evaluation of the run {run} and holds no model: give that run")
        self.class_names: list[str] = results["class_names"]
        # The run's own weights replace whatever the backbone began with, which may be gone or need a network.
        self.recipe = recipe_from_dict(self.run.read_recipe()).replace(weights="none")
        self.trainee = make_trainee(self.recipe, len(self.class_names))
        self.which: Which = weights or results["headline"]
        self._load(self.which)
        accelerator: Any = make_accelerator(self.recipe.precision, device)
        if accelerator.device.type == "cpu":
            keep_freed_memory()
        self.ages = scale_from_dict(results["data"].get("ages"))
        self.face_crop = results["data"].get("face_crop")
        self.scorer = make_scorer(self.trainee, self.recipe, accelerator, **order_of(results["data"]))
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

    def predict(
        self,
        images: Picture | Iterable[Picture],
        *,
        batch_size: int = 32,
        convert: bool | None = None,
        workers: int = 0,
        top: int = TOP,
        calibrate: Kind = "none",
        max_risk: float | None = None,
        interval: float | None = None,
    ) -> Predictions:
        """Classify pictures with the run's own views; one that can't be read does not stop the others.

        Args:
            images: files, Pillow's images, uint8 (height, width, 3) RGB arrays, or one of these. A picture without a
                file is called by its place, "#0".
            batch_size: pictures per forward pass.
            convert: convert CMYK, 16-bit and transparent pictures; None: as the run did.
            workers: loader processes that decode; 0: this one does.
            top: how many of the most probable classes a row names.
            calibrate: "temperature" of the run's validation part, "link" (CRL's closed form), or "none".
            max_risk: abstain where more than this share of answers would be wrong; see `answers`.
            interval: of a run in years, the share of new people whose age each interval is to hold; see `answers`.
        Raises:
            FinegrainedError: the run can't be calibrated that way, or does not keep that risk.
            ValueError: an array that is no uint8 (height, width, 3).
        """
        answers = self.answers(top=top, calibrate=calibrate, max_risk=max_risk, interval=interval)
        rows: list[dict[str, Any]] = []
        errors: dict[str, str] = {}
        scores = [np.zeros((0, len(self.class_names)), np.float32)]
        views = self.reader(as_items(images), convert=convert)
        for batch, of_batch in self.scored(read_batches(views, batch_size=batch_size, workers=workers)):
            rows += answers.rows(batch.names, of_batch)
            scores.append(of_batch)
            errors |= dict(batch.errors)
        return Predictions(pd.DataFrame(rows, columns=list(answers.columns)), errors, np.concatenate(scores))

    def answers(
        self,
        *,
        top: int = TOP,
        calibrate: Kind = "none",
        max_risk: float | None = None,
        interval: float | None = None,
    ) -> Answers:
        """How this run's scores are told.

        Args:
            top: how many of the most probable classes a row names.
            calibrate: how scores become probabilities.
            max_risk: rows abstain whose probability lies below the threshold that keeps this risk on the run's
                validation part, with probability 0.95; see `metrics.selective`.
            interval: of a run in years, rows say the first and last age of an interval that holds the age of this share
                of new people who are like those of the run's validation part; see `metrics.age_intervals`.
        Raises:
            FinegrainedError: no validation part, another loss than CRL for its link, or no threshold that keeps the
                risk.
        """
        calibration = make_calibration(calibrate, self.run, self.which)
        ages = AgeTeller(self.ages, self.scorer.decoder, calibration) if self.ages else None
        if interval is not None:
            ages = self._with_interval(ages, interval)
        answers = Answers(self.class_names, self.scorer.choose, top, calibration, ages=ages)
        return (
            answers if max_risk is None else dataclasses.replace(answers, threshold=self._threshold(answers, max_risk))
        )

    def _with_interval(self, ages: AgeTeller | None, level: float) -> AgeTeller:
        if ages is None:
            raise FinegrainedError(
                f"--interval {level:g}: the classes of {self.run.folder} are no years; train with --dataset.target age"
            )
        frame = validation_rows(self.run, self.which, "--interval")
        said = ages.said(np.stack(frame["logits"].to_list()))
        errors = AgeAnswers(age_truth(frame, ages.scale), said).errors
        interval = age_interval(errors, clusters(frame).to_numpy(dtype=str), level)
        if not np.isfinite(interval.radius):
            raise FinegrainedError(
                f"--interval {level:g}: the {interval.people} people of the validation part are too few for it; ask for"
                f" less than {interval.people / (interval.people + 1):.3f}, or train with a larger validation part"
            )
        return dataclasses.replace(ages, interval=interval)

    def _threshold(self, answers: Answers, max_risk: float) -> Threshold:
        frame = validation_rows(self.run, self.which, "--max-risk")
        scores = np.stack(frame["logits"].to_list())
        chosen = self.scorer.choose(scores)
        sure, is_right = confidence(scores, chosen, answers.calibration), chosen == frame["label"].to_numpy()
        threshold = risk_threshold(sure, is_right, max_risk)
        if threshold is None:
            raise FinegrainedError(
                f"--max-risk {max_risk:g}: on the {len(frame)} validation pictures no threshold keeps it with 95 %"
                f" confidence ({100 * is_right.mean():.1f} % are right); ask for more risk, or a larger validation part"
            )
        return threshold

    def reader(self, items: Sequence[Item], *, convert: bool | None = None) -> Views:
        """The items as this run's evaluation shows them."""
        return Views(items, self.transform, convert=self.recipe.convert_images if convert is None else convert)

    def scored(self, batches: Iterable[ReadBatch]) -> Iterator[tuple[ReadBatch, np.ndarray]]:
        """Each batch with the scores of its pictures, float32 (batch, num_classes)."""
        for batch in batches:
            nothing = np.zeros((0, len(self.class_names)), np.float32)
            yield batch, self.scores(batch.images.numpy()) if batch.names else nothing

    def views(self, path: Path, *, convert: bool | None = None) -> np.ndarray:
        """A picture as the run's evaluation shows it, uint8 (views, height, width, 3)."""
        return self.transform(read_image(path, convert=self.reader([], convert=convert).convert))

    def scores(self, views: np.ndarray) -> np.ndarray:
        """Scores of uint8 (batch, views, height, width, 3) pictures, float32 (batch, num_classes)."""
        return self.scorer.scores(self.trainee, torch.from_numpy(views))


def as_items(images: Picture | Iterable[Picture]) -> list[Item]:
    """Pictures with what they are called.

    >>> [item.name for item in as_items(["a.jpg", np.zeros((2, 2, 3), np.uint8)])]
    ['a.jpg', '#1']
    """
    several: Any = images if _are_several(images) else [images]
    return [_item(place, picture) for place, picture in enumerate(several)]


def _are_several(images: Any) -> bool:
    """An array of pictures (n, height, width, 3) counts as several; a string or an image does not."""
    if isinstance(images, np.ndarray):
        return images.ndim == 4
    return isinstance(images, Iterable) and not isinstance(images, (str, Path))


def _item(place: int, picture: Any) -> Item:
    if isinstance(picture, (str, Path)):
        return Item(Path(picture), str(picture))
    return Item(picture, f"#{place}")
