"""What a finished run says: predictions of every evaluated picture, and metrics that carry their protocol."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from finegrained_crl import files
from finegrained_crl.data.identity import clusters
from finegrained_crl.metrics.age_intervals import age_interval
from finegrained_crl.metrics.ages import AgeAnswers, AgeScale, age_truth, decode_ages
from finegrained_crl.metrics.calibration import fit_temperature, softmax
from finegrained_crl.metrics.catalogue import all_figures, make_scores
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.training import checkpoint, sittings
from finegrained_crl.training.model_card import model_card
from finegrained_crl.training.protocol import describe_protocol
from finegrained_crl.training.run_folder import FORMAT
from finegrained_crl.training.trainee import Trainee
from finegrained_crl.training.versions import versions
from finegrained_crl.training.weights_source import weights_sources

if TYPE_CHECKING:
    from finegrained_crl.data.records import Records
    from finegrained_crl.training.loop import Loop
    from finegrained_crl.training.session import Session


LEVELS = (0.8, 0.9, 0.95)
"""Shares of people whose age an interval is to hold; those whose coverage is measured."""


def finish(loop: Loop) -> dict[str, Any]:
    """Evaluate the final weights, write predictions, models and, last of all, results.json.

    Returns:
        the content of results.json.
    """
    session = loop.session
    decoder = session.scorer.decoder
    candidates = {"last": loop.evaluated}
    if session.run.best.is_file():
        best: Trainee = _selected(loop)
        candidates["selected"] = best
    frames: list[pd.DataFrame] = []
    metrics: dict[str, Any] = {}
    temperatures: dict[str, float] = {}
    said: dict[str, dict[str, np.ndarray]] = {}
    parts = {"test": session.parts.test, "val": session.parts.val}
    for which, trainee in candidates.items():
        metrics[which], said[which] = {}, {}
        for part, rows in parts.items():
            if len(rows):
                scores = said[which][part] = loop.scores(trainee, rows)
                frames.append(prediction_frame(session.records, rows, scores, part, which))
                labels = session.records.table["label"].to_numpy()[rows]
                if part == "val":
                    temperatures[which] = fit_temperature(scores, labels)
                metrics[which][part] = part_figures(session.records, rows, scores, decoder)
        if session.is_main:
            _export(session, trainee, which)
    results = build_results(loop, metrics, temperatures)
    results |= age_intervals(session.records, parts, said, decoder)
    if session.is_main:
        predictions = pd.concat(frames, ignore_index=True)
        _write_predictions(session, predictions)
        files.write_text(session.run.model_card, model_card(results, predictions))
        sittings.end(session.run.folder)
        files.write_json(session.run.results, results)
        checkpoint.previous(session.run.last).unlink(missing_ok=True)
        session.run.commit()
    return results


def build_results(loop: Loop, metrics: dict[str, Any], temperatures: dict[str, float]) -> dict[str, Any]:
    """The content of results.json: nothing in it depends on the clock, so a resumed run writes the same bytes."""
    session, recipe, p = loop.session, loop.recipe, loop.progress
    return {
        "format": FORMAT,
        "headline": "selected" if recipe.early_stopping else "last",
        "metrics": {"last": metrics["last"], "selected_on_validation": metrics.get("selected")},
        "temperatures": {which: round(temperatures[which], 6) for which in temperatures} or None,
        "oracle_on_test": _oracle(p.history),
        "protocol": describe_protocol(session),
        "dataset": recipe.dataset.as_dict(),
        "method": recipe.method.as_dict(),
        "backbone": recipe.backbone,
        "loss": recipe.loss.as_dict(),
        "roles": {role: repr(criterion) for role, criterion in session.trainee.criteria.by_role.items()},
        "stages": [{"name": placed.stage.name, "epochs": placed.recipe.epochs} for placed in session.stages],
        "epochs_run": p.epoch,
        "selected_epoch": p.best_epoch or None,
        "seed": recipe.seed,
        "precision": recipe.precision,
        "memory_format": recipe.memory_format,
        "processes": session.accelerator.num_processes,
        "weights": session.trainee.model.notes,
        "weights_sources": weights_sources(session.trainee.model),
        "normalisation": {"mean": list(session.trainee.model.mean), "std": list(session.trainee.model.std)},
        "data": _data(session),
        "class_names": list(session.records.class_names),
        "versions": versions(),
    }


def _oracle(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What choosing the epoch by the test part would have given, where the test part was watched."""
    watched = [row["test_top1"] for row in history if row.get("test_top1") is not None]
    if not watched:
        return None
    return {"top1_accuracy": max(watched), "note": "best epoch chosen on the test part; not a result"}


def _data(session: Session) -> dict[str, Any]:
    """Which pictures, and how they were divided."""
    return {
        "fingerprint": session.data.as_dict(),
        "accepted_changes": session.data_changes,
        "num_classes": session.records.num_classes,
        "train": len(session.parts.train),
        "val": len(session.parts.val),
        "test": len(session.parts.test),
        "dropped": session.records.dropped,
        "ordered": session.records.ordered,
        **({"ages": session.records.ages.as_dict()} if session.records.ages else {}),
        **({"face_crop": session.records.face_crop} if session.records.face_crop else {}),
        "subgroups": list(session.records.subgroups),
        "root": str(session.records.root),
    }


def part_figures(records: Records, rows: np.ndarray, scores: np.ndarray, decoder: Decoder) -> dict[str, Any]:
    """The figures of some rows of the records table."""
    table = records.table.iloc[rows]
    told = make_scores(scores, table["label"].to_numpy(), decoder, ages=age_truth(table, records.ages))
    return all_figures(told, **records.order)


def age_intervals(
    records: Records, rows: dict[str, np.ndarray], said: dict[str, dict[str, np.ndarray]], decoder: Decoder
) -> dict[str, Any]:
    """Intervals that the validation part gives, with their coverage on the test part, for results.json.

    Args:
        records: in years; of other classes there are no intervals.
        rows: part -> rows of the records table.
        said: weights -> part -> scores.
        decoder: how an age is taken from scores.
    """
    if records.ages is None or not len(rows.get("val", ())):
        return {}
    told: dict[str, list[dict[str, Any]]] = {}
    for which, scores in said.items():
        answers = {part: _answers(records, records.ages, rows[part], scores[part], decoder) for part in ("test", "val")}
        people = clusters(records.table.iloc[rows["val"]]).to_numpy(dtype=str)
        fitted = [age_interval(answers["val"].errors, people, level) for level in LEVELS]
        told[which] = [interval.as_dict(answers["test"].errors) for interval in fitted]
    return {"age_intervals": told}


def _answers(records: Records, scale: AgeScale, rows: np.ndarray, scores: np.ndarray, decoder: Decoder) -> AgeAnswers:
    table = records.table.iloc[rows]
    truth = age_truth(table, scale)
    return AgeAnswers(truth, decode_ages(softmax(scores), scale, decoder))


def _selected(loop: Loop) -> Trainee:
    best: Trainee = copy.deepcopy(loop.evaluated)
    best.load_state_dict(checkpoint.load(loop.session.run.best)["trainee"])
    return best


def _export(session: Session, trainee: Trainee, which: str) -> None:
    checkpoint.save_weights(session.run.weights(which), trainee.model.exported().state_dict())
    criteria = trainee.criteria.state_dict()
    if criteria:
        checkpoint.save_weights(session.run.loss_weights(which), criteria)


def prediction_frame(records: Records, rows: np.ndarray, scores: np.ndarray, part: str, which: str) -> pd.DataFrame:
    """Rows of predictions.parquet: what is known of each picture, its part, the choice of weights and its logits."""
    frame = records.table.iloc[rows].drop(columns="split").reset_index(drop=True)
    # A data set's own column may mix kinds of values, which Parquet refuses.
    mixed = [column for column in frame if frame[column].dtype == object]
    return frame.astype(dict.fromkeys(mixed, "string")).assign(part=part, weights=which, logits=list(scores))


def _write_predictions(session: Session, frame: pd.DataFrame) -> None:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    files.write_bytes(session.run.predictions, buffer.getvalue())
