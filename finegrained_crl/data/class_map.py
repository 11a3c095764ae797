"""Which class of a data set is which class of a run, for a run that is evaluated on other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finegrained_crl.data.tables import read_table
from finegrained_crl.errors import FinegrainedError, nearest

COLUMNS = ("data_class", "run_class")


@dataclass(frozen=True)
class ClassMap:
    """From the classes of a data set to those of a run.

    Attributes:
        labels: int64, (classes of the data set,), class index of the run, -1 where it has no such class.
        data_names: class names of the data set.
        run_names: class names of the run.
        how: "by name", or the file.
    """

    labels: np.ndarray
    data_names: tuple[str, ...]
    run_names: tuple[str, ...]
    how: str

    @property
    def unmatched_in_data(self) -> list[str]:
        """Classes of the data set that the run does not know: their pictures are left out."""
        return [name for name, label in zip(self.data_names, self.labels, strict=True) if label < 0]

    @property
    def unmatched_in_run(self) -> list[str]:
        """Classes of the run of which the data set has none: it may still answer with them."""
        matched = set(self.labels.tolist())
        return [name for label, name in enumerate(self.run_names) if label not in matched]


def make_class_map(data_names: Sequence[str], run_names: Sequence[str], file: Path | None = None) -> ClassMap:
    """The map by equal names, or as a file states it.

    Args:
        data_names: of the data set.
        run_names: of the run.
        file: a table with the columns data_class and run_class; a class without a row, or with an empty run_class, is
            left out. Several classes of the data set may be one of the run.
    Raises:
        FinegrainedError: no class in common, or a file that names unknown classes.
    """
    pairs = _from_file(file, data_names, run_names) if file else {name: name for name in data_names}
    place = {name: label for label, name in enumerate(run_names)}
    labels = np.array([place.get(pairs.get(name, ""), -1) for name in data_names], dtype=np.int64)
    if (labels < 0).all():
        raise FinegrainedError(
            f"the run and the data set have no class in common (the run's first is '{run_names[0]}', the data set's"
            f" '{data_names[0]}'): say with --class-map FILE.csv (columns {', '.join(COLUMNS)}) which is which"
        )
    return ClassMap(labels, tuple(data_names), tuple(run_names), str(file) if file else "by name")


def _from_file(file: Path, data_names: Sequence[str], run_names: Sequence[str]) -> dict[str, str]:
    table = read_table(file, needed=COLUMNS)
    for column in COLUMNS:
        if column not in table:
            raise FinegrainedError(f"{file} has no column '{column}': a class map has {' and '.join(COLUMNS)}")
    kept = table[table["run_class"] != ""]
    for column, names, whose in (("data_class", data_names, "data set"), ("run_class", run_names, "run")):
        unknown = kept[~kept[column].isin(names)]
        if len(unknown):
            name = unknown[column].iloc[0]
            where = f"row {unknown.index[0] + 2} of {file}"
            raise FinegrainedError(f"{where}: the {whose} has no class '{name}'; {nearest(name, names)}")
    doubled = kept["data_class"].duplicated()
    if doubled.any():
        raise FinegrainedError(f"{file}: '{kept['data_class'][doubled].iloc[0]}' has two rows; keep one")
    return dict(zip(kept["data_class"], kept["run_class"], strict=True))
