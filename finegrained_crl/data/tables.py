"""Reading a CSV, TSV or Parquet table as text, with one line that says what to do where that is impossible."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from finegrained_crl.data.layout import file_text
from finegrained_crl.data.parquet import class_names, damage_told, first_line, picture_columns
from finegrained_crl.data.picture_source import item_name
from finegrained_crl.data.regular import open_regular
from finegrained_crl.errors import FinegrainedError

SEPARATORS = (",", ";", "\t")
MOST_ROWS = 20_000_000
"""A Parquet file of a few kilobytes can claim billions of rows."""


def read_table(path: Path, separator: str = "", needed: Sequence[str] = (), *, name: str = "") -> pd.DataFrame:
    """A table whose every cell is text; no text is taken for a missing value ("None" and "NA" may be class names).

    Where a Parquet table holds the pictures themselves, the cells of that column are their paths (`FILE#ROW`, see
    `picture_source`), and class numbers whose names it knows have a column `COLUMN_name` beside them.

    Args:
        path: a .parquet file, or a text file (see `layout.file_text`).
        separator: between the cells of a text file; "": a tab in a .tsv file, else the comma, or a semicolon or tab
            where only that one divides the header into the `needed` columns.
        needed: columns that the header must have, for choosing the separator.
        name: of the file, in the paths of its pictures; "": its last part.
    Raises:
        FinegrainedError: not readable; the text says which row, or what to save it as.
    """
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _read_parquet(path, name or path.name)
    text = file_text(path)
    divider = separator or ("\t" if kind == ".tsv" else _divider(text, needed))
    try:
        with warnings.catch_warnings():
            # A row longer than the header would lose cells, or shift the columns without index_col=False.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(io.StringIO(text), sep=divider, dtype=str, keep_default_na=False, index_col=False)
    except (ValueError, OverflowError, MemoryError, pd.errors.ParserWarning) as error:
        raise FinegrainedError(
            f"{path} cannot be read as a {kind or 'CSV'} table: {_reason(text, divider, error)}"
        ) from error
    filled: pd.DataFrame = table.fillna("")  # cells that a short row lacks
    return filled


def _divider(text: str, needed: Sequence[str]) -> str:
    header = text.lstrip("\n").partition("\n")[0]
    for divider in SEPARATORS:
        cells = [cell.strip().strip('"') for cell in header.split(divider)]
        if len(cells) > 1 and set(needed) <= set(cells):
            return divider
    return ","


def _read_parquet(path: Path, name: str) -> pd.DataFrame:
    import pyarrow.parquet as pq

    with damage_told(path, "write it again"), open_regular(path) as file:
        parquet = pq.ParquetFile(file)
        if parquet.metadata.num_rows > MOST_ROWS:
            raise FinegrainedError(
                f"{path}: {parquet.metadata.num_rows:,} rows, at most {MOST_ROWS:,} are read; is it the right file?"
            )
        schema = parquet.schema_arrow
        pictures = picture_columns(schema)
        content = parquet.read(columns=[column for column in schema.names if column not in pictures])
        content.validate(full=True)  # text that is no UTF-8 would be found by whoever looks at it first
        cells: pd.DataFrame = content.to_pandas().astype("string").fillna("").reset_index(drop=True)
    if pictures:
        cells[pictures[0]] = pd.Series(
            [item_name(name, row) for row in range(parquet.metadata.num_rows)], dtype="string"
        )
    return _with_class_names(cells, class_names(schema))


def _with_class_names(cells: pd.DataFrame, names: dict[str, list[str]]) -> pd.DataFrame:
    for column, texts in names.items():
        if column in cells and f"{column}_name" not in cells:
            of_number = {str(number): text for number, text in enumerate(texts)}
            cells[f"{column}_name"] = cells[column].map(of_number).fillna("")
    return cells


def _reason(text: str, divider: str, error: Exception) -> str:
    """The first row with too many cells, since the parser doesn't name it in a way that helps; else the parser's own
    words.
    """
    if not text.strip():
        return "it is empty; give a header line and one row per image"
    try:
        rows = csv.reader(io.StringIO(text), delimiter=divider, strict=True)
        width = len(next(rows))
        for row in rows:
            if len(row) > width:
                more = f"line {rows.line_num} has {len(row)} cells and the header {width}"
                return (
                    f"{more}; put cells that hold '{divider}' into quotes, or name the separator with"
                    " --dataset.separator"
                )
    except (csv.Error, StopIteration, TypeError) as cause:
        return f"{first_line(cause)}; check its quotes, or name the separator with --dataset.separator"
    return first_line(error)
