"""The tables that `fgcrl predict` writes as answers come: rows, errors, and how many of the labelled ones are right."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import numpy as np

from finegrained_crl import escaping
from finegrained_crl.at_once import growing_file

SHOWN = 5
"""Errors that are told one by one where a table has them all."""


class RowFile:
    """A CSV file that gets its name when it is complete, made with its first row; without a path, standard output."""

    def __init__(self, path: Path | None, columns: Sequence[str], *, at_once: bool = True) -> None:
        self.path, self.columns = path, columns
        self._stack, self.count = contextlib.ExitStack(), 0
        self._file: TextIO | None = None
        if at_once:
            self._open()

    def _open(self) -> TextIO:
        file: TextIO = sys.stdout
        if self.path is not None:
            file = self._stack.enter_context(growing_file(self.path))
        self._file = file
        try:
            self._write([self.columns])
        except OSError as error:  # a full disk: what was begun is taken back now, not when garbage is collected
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return file

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, where they can be seen at once."""
        cells = [[escaping.csv_cell(row[column]) for column in self.columns] for row in rows]
        if not cells:
            return
        self.count += len(cells)
        self._write(cells)

    def _write(self, cells: Iterable[Sequence[Any]]) -> None:
        file = self._file or self._open()
        csv.writer(file, lineterminator="\n").writerows(cells)
        file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


class ErrorTable:
    """What could not be read: each told on standard error, or in a table, the first few in both.

    Args:
        path: of the table; None: there is none.
        always: write it though nothing went wrong.
        keep: keep the errors, for JSON.
    """

    def __init__(self, path: Path | None, *, always: bool, keep: bool = False) -> None:
        self.path, self.always, self.keep = path, always, keep
        self._rows = RowFile(path, ("path", "error"), at_once=always) if path else None
        self.count, self.kept = 0, dict[str, str]()

    def add(self, errors: Iterable[tuple[str, str]]) -> None:
        """Tell of errors, (path, why) each."""
        for name, why in errors:
            self.count += 1
            if self.keep:
                self.kept[name] = why
            if self._rows:
                self._rows.add([{"path": name, "error": why}])
            if self._rows is None or self.count <= SHOWN:
                print(f"not classified: {escaping.plain(why)}", file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._rows:
            self._rows.__exit__(kind, error, traceback)
        if kind is None and self.path and not self.count and not self.always:
            self.path.unlink(missing_ok=True)  # of an earlier run of this command, which had errors

    @property
    def summary(self) -> str:
        """Where those stand that were not told one by one, "" for nowhere."""
        if self.path is None or not self.count:
            return ""
        return f"{self.count} could not be classified: {self.path}"


class LabelCount:
    """How many of the pictures whose class the user stated are answered rightly.

    Args:
        class_names: of the run, by index.
        top: how many classes a row names.
    """

    def __init__(self, class_names: Sequence[str], top: int) -> None:
        self.place = {name: i for i, name in enumerate(class_names)}
        self.top, self.labelled, self.unknown, self.right, self.near = top, 0, 0, 0, 0
        self.answered, self.answered_right = 0, 0
        self.years_off: list[float] = []

    def add(self, labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Count the rows of a batch."""
        for label, row in zip(labels, rows, strict=True):
            if label == "":
                continue
            if label not in self.place:
                self.unknown += 1
                continue
            is_right = row["label"] == self.place[label]
            self.labelled += 1
            self.right += is_right
            if "age" in row:
                self.years_off.append(abs(float(row["age"]) - float(label)))
            self.near += label in str(row[f"top{self.top}_classes"]).split("|")
            if not row.get("abstained", False):
                self.answered += 1
                self.answered_right += is_right

    def facts(self) -> dict[str, Any] | None:
        """Counts and shares as plain values; None where no label was stated."""
        if not self.labelled and not self.unknown:
            return None
        counts = {"labelled": self.labelled, "right": self.right, f"in_top{self.top}": self.near}
        answered = {"answered": self.answered, "answered_right": self.answered_right}
        years = {"mae_years": float(np.mean(self.years_off))} if self.years_off else {}
        return {**counts, **answered, **years, "labels_unknown": self.unknown}

    def text(self) -> str:
        """For people."""
        unknown = f"{self.unknown} labels are no class of the run" if self.unknown else ""
        if not self.labelled:
            return unknown
        share, near = (100 * count / self.labelled for count in (self.right, self.near))
        text = f"{self.right} of {self.labelled} labelled pictures are right ({share:.2f} %)"
        text += f", {near:.2f} % among the first {self.top}"
        if self.years_off:
            text += f"; {np.mean(self.years_off):.2f} years off on average"
        if self.answered < self.labelled:
            of_answers = 100 * np.divide(self.answered_right, self.answered or np.nan)
            text += f"; {self.answered} answered, {of_answers:.2f} % of these right"
        return f"{text}; {unknown}" if unknown else text
