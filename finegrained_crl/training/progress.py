"""Where a run stands: finished epochs, the sums of the one under way, the best epoch on validation."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Progress:
    """Everything beside tensors that a resumed run needs.

    Attributes:
        epoch: epoch under way, from 0; equal to the recipe's number when training is over.
        update: updates already done in that epoch.
        sums: running sums of the epoch: "images", "correct", "seconds", and one "loss/ROLE" per role.
        history: one row per finished epoch.
        best_epoch: epoch (from 1) with the best validation accuracy so far, 0 for none.
        best_accuracy: that accuracy, in [0, 1]; of classes that are years, 1 / (1 + mean absolute error).
        stopped: early stopping has ended the run.
    """

    epoch: int = 0
    update: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_accuracy: float = -1.0
    stopped: bool = False

    def add(self, name: str, value: float) -> None:
        """Add to a running sum of the epoch."""
        self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Training figures of the epoch so far: total loss, loss per role, accuracy."""
        images = self.sums.get("images", 0.0) or 1.0
        roles = {k.removeprefix("loss/"): v / images for k, v in self.sums.items() if k.startswith("loss/")}
        by_role = {f"train_loss_{role}": value for role, value in roles.items()}
        if set(roles) == {"class"}:
            by_role = {}  # the one loss of a plain method is the total
        return {"train_loss": sum(roles.values()), **by_role, "train_accuracy": self.sums.get("correct", 0.0) / images}

    def close_epoch(self, row: dict[str, Any]) -> None:
        """Keep the epoch's row and go to the next epoch."""
        self.history.append(row)
        self.epoch, self.update, self.sums = self.epoch + 1, 0, {}

    def is_better(self, accuracy: float) -> bool:
        """Whether a validation accuracy beats all earlier ones; if so, remember this epoch as the best."""
        better = accuracy > self.best_accuracy
        if better:
            self.best_epoch, self.best_accuracy = self.epoch + 1, accuracy
        return better

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        """What `as_dict` wrote."""
        return cls(**{f.name: values[f.name] for f in fields(cls)})


def history_csv(history: list[dict[str, Any]]) -> str:
    """The rows as CSV, columns in order of first appearance."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return out.getvalue()
