"""The run folders of heads: what any reader of runs knows, written ten thousand times in little time."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from finegrained_crl import files
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.training import committed
from finegrained_crl.training.protocol import describe_protocol
from finegrained_crl.training.results import age_intervals, part_figures, prediction_frame
from finegrained_crl.training.run_folder import FORMAT, RunFolder
from finegrained_crl.training.session import Session
from finegrained_crl.training.versions import versions
from finegrained_crl.training.weights_source import weights_sources


@dataclass(frozen=True)
class Material:
    """What all cells of one fold and seed share.

    Attributes:
        context: recipe, records, parts, scorer and leaks, as `describe_protocol` reads them.
        train: rows that are trained on.
        seen: label of each row as training sees it, with the noise in it.
        mean, deviation: of each feature over the training part.
        corruption: label_noise and imbalance, for the record.
    """

    context: Any
    train: np.ndarray
    seen: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    corruption: dict[str, float]


class CellWriter:
    """Writes cells of one fold and seed; what they have in common is made once.

    Args:
        session: data and frozen model.
        constant: `constant_facts` of the session.
        material: of the fold and seed.
        rows: part -> rows of the records table that are scored.
    """

    def __init__(
        self, session: Session, constant: dict[str, Any], material: Material, rows: dict[str, np.ndarray]
    ) -> None:
        self.session, self.constant, self.material, self.rows = session, constant, material, rows
        records = session.records
        blank = [prediction_frame(records, of, np.zeros((len(of), 1)), part, "last") for part, of in rows.items()]
        frame = pd.concat(blank, ignore_index=True).drop(columns="logits")
        self.table = pa.Table.from_pandas(frame, preserve_index=False)
        self.protocol = describe_protocol(material.context)
        self.first_data: Any = None

    def write(self, cell: Cell, run: RunFolder, logits: dict[str, np.ndarray]) -> None:
        """Commit a cell's scores, part -> (rows, num_classes), unless they are there."""
        if run.is_done:
            return
        values = np.concatenate(list(logits.values())).astype(np.float32)
        self._share_data(run)
        files.write_text(run.recipe, committed.sealed(_yaml(cell.recipe.as_dict())))
        files.write_bytes(run.predictions, self._predictions(values))
        files.write_json(run.results, self._results(cell, logits))
        run.commit()

    def _share_data(self, run: RunFolder) -> None:
        """One file for all cells of a group, under a name in each: it says the same ten thousand times."""
        if self.first_data is None:
            run.write_data(self.session.data)
            self.first_data = run.data
        else:
            files.make_folder(run.folder)
            files.keep_as(self.first_data, run.data)

    def _predictions(self, values: np.ndarray) -> bytes:
        offsets = pa.array(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32))
        logits = pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
        buffer = io.BytesIO()
        pq.write_table(self.table.append_column("logits", logits), buffer)
        return buffer.getvalue()

    def _results(self, cell: Cell, logits: dict[str, np.ndarray]) -> dict[str, Any]:
        records, decoder = self.session.records, self.session.scorer.decoder
        metrics = {part: part_figures(records, self.rows[part], scores, decoder) for part, scores in logits.items()}
        parts = self.material.context.parts
        sizes = {"train": len(self.material.train), "val": len(parts.val), "test": len(parts.test)}
        return {
            "format": FORMAT,
            "headline": "last",
            "metrics": {"last": metrics, "selected_on_validation": None},
            "oracle_on_test": None,
            **age_intervals(records, self.rows, {"last": logits}, decoder),
            "protocol": self.protocol | self.material.corruption,
            "method": cell.recipe.method.as_dict(),
            "loss": cell.recipe.loss.as_dict(),
            "roles": {"class": str(cell.recipe.loss)},
            "stages": [{"name": "head", "epochs": cell.recipe.epochs}],
            "epochs_run": cell.recipe.epochs,
            "selected_epoch": None,
            "seed": cell.seed,
            **self.constant,
            "data": {**self.constant["data"], **sizes},
        }


def constant_facts(session: Session) -> dict[str, Any]:
    """What results.json says alike in every cell."""
    records, recipe = session.records, session.recipe
    return {
        "dataset": recipe.dataset.as_dict(),
        "backbone": recipe.backbone,
        "precision": recipe.precision,
        "memory_format": recipe.memory_format,
        "processes": 1,
        "weights": session.trainee.model.notes,
        "weights_sources": weights_sources(session.trainee.model),
        "normalisation": {"mean": list(session.trainee.model.mean), "std": list(session.trainee.model.std)},
        "data": {
            "fingerprint": session.data.as_dict(),
            "accepted_changes": [],
            "num_classes": records.num_classes,
            "dropped": records.dropped,
            "ordered": records.ordered,
            **({"ages": records.ages.as_dict()} if records.ages else {}),
            "subgroups": list(records.subgroups),
            "root": str(records.root),
        },
        "class_names": list(records.class_names),
        "versions": versions(),
    }


def _yaml(values: dict[str, Any]) -> str:
    """The C writer where PyYAML has it: ten thousand recipes are written."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(json.loads(json.dumps(values)), Dumper=dumper, sort_keys=False))
