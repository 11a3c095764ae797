"""What the cells of a table's columns say: whole numbers, classes and their names, or an error that names the row.

Rows are counted as a spreadsheet shows them, the header being row 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError


def no_empty_cell(column: pd.Series, path: Path) -> None:
    """Refuse a column that says nothing in some row.

    Raises:
        FinegrainedError: an empty cell.
    """
    empty = np.flatnonzero(column.str.strip() == "")
    if len(empty):
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise FinegrainedError(
            f"{path}: empty '{column.name}' in row {empty[0] + 2}{more}; fill it in or remove the row"
        )


def whole_numbers(column: pd.Series, path: Path, what: str) -> np.ndarray:
    """A column as int64.

    Args:
        column: of text or numbers.
        path: of the table, for the message.
        what: the number that is expected, in words.
    Raises:
        FinegrainedError: another value, or one beyond 31 bits.
    """
    numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~(np.abs(numbers) < 2**31) | (np.floor(numbers) != numbers))
    if len(wrong):
        raise FinegrainedError(
            f"{path}: '{column.name}' in row {wrong[0] + 2} must be {what}, got '{column.iloc[wrong[0]]}'"
        )
    return numbers.astype(np.int64)


def check_range(labels: np.ndarray, num_classes: int, path: Path) -> None:
    """Refuse class indices beyond the number of classes.

    Raises:
        FinegrainedError: one of them is.
    """
    wild = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wild):
        raise FinegrainedError(
            f"{path}: label {labels[wild[0]]} in row {wild[0] + 2} is beyond the {num_classes} classes"
            f" (0..{num_classes - 1}); correct the label or --dataset.num-classes"
        )


def sorted_values(labels: pd.Series) -> list[str]:
    """Distinct labels: numbers by value, anything else as text."""
    values = sorted(set(labels))
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    if numbers.isna().any() or numbers.duplicated().any():
        return values
    return [values[i] for i in np.argsort(numbers.to_numpy(), kind="stable")]


def readable_names(column: pd.Series, labels: np.ndarray, names: list[str], path: Path) -> list[str]:
    """Class names from a column of their own.

    Args:
        column: a name a row.
        labels: class index of each row.
        names: what a class without a row is called, by index.
        path: of the table, for the message.
    Raises:
        FinegrainedError: one class has two names.
    """
    pairs = pd.DataFrame({"label": labels, "name": column}).drop_duplicates()
    doubled = pairs[pairs["label"].duplicated(keep=False)]
    if len(doubled):
        first = doubled[doubled["label"] == doubled["label"].iloc[0]]["name"].tolist()
        label = names[doubled["label"].iloc[0]]
        raise FinegrainedError(
            f"{path}: label '{label}' has two names in column '{column.name}': {', '.join(first)}; keep one"
        )
    name_of_label = dict(zip(pairs["label"], pairs["name"], strict=True))
    return [name_of_label.get(i, name) for i, name in enumerate(names)]
