"""A finished run on another data set, or on another part of its own: results and predictions like a run's."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from finegrained_crl import at_once, files
from finegrained_crl.data import loading
from finegrained_crl.data.class_map import ClassMap, make_class_map
from finegrained_crl.data.fingerprint import DataFingerprint, fingerprint
from finegrained_crl.data.records import Records
from finegrained_crl.data.transforms import EvalTransform
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.ages import age_truth
from finegrained_crl.metrics.catalogue import all_figures, make_scores, order_of
from finegrained_crl.training import committed
from finegrained_crl.training.assembly import check_images, image_settings, read_records
from finegrained_crl.training.evaluate import evaluate
from finegrained_crl.training.predictor import Predictor
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.results import prediction_frame
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.versions import versions

ALL = "all"
KEYS = {"last": "last", "selected": "selected_on_validation"}


@dataclass(frozen=True)
class Evaluation:
    """What a run said of other data.

    Attributes:
        recipe: the run's, with the data, split and views of this evaluation.
        results: like a run's results.json, and `evaluation`: of which run, with which classes.
        predictions: like a run's.
        data: fingerprint of the data set.
    """

    recipe: Recipe
    results: dict[str, Any]
    predictions: pd.DataFrame
    data: DataFingerprint

    def write(self, out: Path) -> None:
        """Write a folder that reports read like a run's.

        Raises:
            FinegrainedError: `out` is there already.
        """
        with at_once.new_folder(out) as folder:
            run = RunFolder(folder)
            files.write_text(run.recipe, committed.sealed(yaml.safe_dump(self.recipe.as_dict(), sort_keys=False)))
            run.write_data(self.data)
            buffer = io.BytesIO()
            self.predictions.to_parquet(buffer, index=False)
            files.write_bytes(run.predictions, buffer.getvalue())
            files.write_json(run.results, self.results)
            run.commit()


def evaluate_run(
    predictor: Predictor,
    recipe: Recipe,
    *,
    class_map: Path | None = None,
    batch_size: int = 32,
    workers: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Score the pictures that a recipe holds out.

    Args:
        predictor: the run.
        recipe: the run's, with other `dataset`, `data`, `split` or `fold`, `views`, `missing`, `convert_images`. A
            `split` "all" takes every picture; none takes "test" where the data set has it, and every picture elsewhere.
        class_map: see `make_class_map`.
        batch_size: pictures per forward pass.
        workers: loader processes.
        progress: called with (pictures done, pictures in all).
    Raises:
        FinegrainedError: no such data, split or class.
    """
    records = read_records(recipe)
    classes = make_class_map(records.class_names, predictor.class_names, class_map)
    part, rows = held_rows(records, recipe)
    labels = classes.labels[records.table["label"].to_numpy()]
    left_out = {name: int((records.table["label"].to_numpy()[rows] == i).sum()) for i, name in _unknown(classes)}
    rows = rows[labels[rows] >= 0]
    if not len(rows):
        raise FinegrainedError(f"no picture of {part} is of a class that the run knows: nothing to evaluate")
    mapped = dataclasses.replace(
        records, table=records.table.assign(label=labels), class_names=tuple(predictor.class_names)
    )
    check_images(mapped, rows, convert=recipe.convert_images)
    pictures = loading.Pictures(mapped, EvalTransform(image_settings(recipe)), convert=recipe.convert_images)
    scores = _scores(predictor, pictures, rows, batch_size, workers, progress)
    data = fingerprint(mapped)
    leaks = trained_on(predictor.run, data, rows)
    facts = {"part": part, "left_out": left_out, "classes": classes, "leaks": leaks}
    results = _results(predictor, recipe, mapped, data, rows, scores, facts)
    return Evaluation(recipe, results, prediction_frame(mapped, rows, scores, "test", predictor.which), data)


def held_rows(records: Records, recipe: Recipe) -> tuple[str, np.ndarray]:
    """What is evaluated, in words, and its rows.

    Raises:
        FinegrainedError: no such fold or split.
    """
    table = records.table
    if recipe.fold is not None:
        folds = sorted(table["fold"].dropna().unique().tolist())
        rows = np.flatnonzero((table["fold"] == recipe.fold).fillna(False).to_numpy(dtype=bool))
        if not len(rows):
            raise FinegrainedError(f"--fold {recipe.fold}: the data set has {_listed(folds, 'folds')}")
        return f"fold {recipe.fold}", rows
    splits = [name for name in table["split"].unique() if name]
    if recipe.split not in (None, ALL, *splits):
        raise FinegrainedError(f"--split {recipe.split}: the data set has {_listed([*splits, ALL], 'splits')}")
    split = recipe.split or ("test" if "test" in splits else ALL)
    return split, np.flatnonzero((table["split"] == split).to_numpy() | (split == ALL))


def _listed(names: list[Any], what: str) -> str:
    return f"the {what} {', '.join(map(str, names))}" if names else f"no {what}"


def _other_crop(trained: dict[str, Any] | None, evaluated: dict[str, Any] | None) -> str:
    """How the faces of these pictures are cut out otherwise than those that the run was trained on, "" for not."""
    if trained is None and evaluated is None:
        return ""
    margins = [f"margin {crop['margin']:g}" if crop else "unknown" for crop in (trained, evaluated)]
    return "" if margins[0] == margins[1] else f"faces of the run: {margins[0]}, faces of these pictures: {margins[1]}"


def _unknown(classes: ClassMap) -> list[tuple[int, str]]:
    return [(i, name) for i, name in enumerate(classes.data_names) if classes.labels[i] < 0]


def _scores(
    predictor: Predictor,
    pictures: loading.Pictures,
    rows: np.ndarray,
    batch_size: int,
    workers: int,
    progress: Callable[[int, int], None],
) -> np.ndarray:
    done = [0]

    def scored(count: int) -> None:
        done[0] += count
        progress(done[0], len(rows))

    trainee, scorer = predictor.trainee, predictor.scorer
    return evaluate(trainee, pictures, rows, scorer, batch_size=batch_size, workers=workers, scored=scored)


def trained_on(run: RunFolder, data: DataFingerprint, rows: np.ndarray) -> list[str]:
    """Whether the run was trained on pictures of this evaluation, by their bytes; one line, or none."""
    stored = run.read_data()
    if stored is None or stored.pictures is None:
        return []
    evaluated = set(pd.read_parquet(run.checked(run.predictions), columns=["id"])["id"])
    seen = stored.pictures[~stored.pictures["id"].isin(evaluated)]
    if (seen["split"] == "train").any():
        seen = seen[seen["split"] == "train"]
    both = data.require_pictures()["sha256"].iloc[rows].isin(set(seen["sha256"]) - {""}).sum()
    return [f"{both} of {len(rows)} evaluated pictures are pictures that the run was trained on"] if both else []


def _results(
    predictor: Predictor,
    recipe: Recipe,
    records: Records,
    data: DataFingerprint,
    rows: np.ndarray,
    scores: np.ndarray,
    facts: dict[str, Any],
) -> dict[str, Any]:
    own = predictor.run.read_results()
    classes: ClassMap = facts["classes"]
    labels = records.table["label"].to_numpy()[rows]
    truth = age_truth(records.table.iloc[rows], predictor.ages)
    figures = all_figures(make_scores(scores, labels, predictor.scorer.decoder, ages=truth), **order_of(own["data"]))
    metrics: dict[str, Any] = {"last": None, "selected_on_validation": None}
    metrics[KEYS[predictor.which]] = {"test": figures}
    told = {
        "run": str(predictor.run.folder.absolute()),
        "trained_on": own["protocol"]["text"],
        "class_map": classes.how,
        "left_out": facts["left_out"],
        "classes_without_pictures": classes.unmatched_in_run,
        "other_face_crop": _other_crop(own["data"].get("face_crop"), records.face_crop),
    }
    protocol = {**own["protocol"], **_protocol(recipe, records, len(rows), facts)}
    changed = {"headline": predictor.which, "metrics": metrics, "oracle_on_test": None, "protocol": protocol}
    return {
        **own,
        **changed,
        "dataset": recipe.dataset.as_dict(),
        "data": {**_about(own["data"], records, data, len(rows)), "accepted_changes": []},
        "evaluation": told,
        "versions": versions(),
    }


def _protocol(recipe: Recipe, records: Records, count: int, facts: dict[str, Any]) -> dict[str, Any]:
    """What the evaluation's protocol says otherwise than the run's."""
    return {
        "text": records.protocol,
        "evaluated_on": facts["part"],
        "policy": records.policy,
        "denominator": count,
        "views": recipe.views,
        "missing_images": recipe.missing,
        "leaks": facts["leaks"],
    }


def _about(own: dict[str, Any], records: Records, data: DataFingerprint, count: int) -> dict[str, Any]:
    """The run's data with what was evaluated in the place of its test part."""
    sizes = {"test": count, "dropped": records.dropped, "subgroups": list(records.subgroups)}
    about = {**own, **sizes, "val": 0, "fingerprint": data.as_dict(), "root": str(records.root)}
    about.pop("face_crop", None)
    if records.face_crop:
        about["face_crop"] = records.face_crop
    return about
