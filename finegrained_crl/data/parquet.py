"""Parquet files: which columns hold pictures and class names, and one line for whatever is wrong with a file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finegrained_crl.errors import FinegrainedError


def damage() -> tuple[type[Exception], ...]:
    """What pyarrow raises of a file that is none of its, or is damaged; loads pyarrow."""
    import pyarrow as pa

    # Its own kinds are ValueError, TypeError, KeyError and NotImplementedError, too; sizes that lie ask for all memory.
    return pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError, NotImplementedError


def first_line(error: Exception) -> str:
    """What an error says, in one line.

    >>> first_line(ValueError("no magic bytes")), first_line(MemoryError())
    ('no magic bytes', 'MemoryError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def damage_told(path: Path, remedy: str) -> Iterator[None]:
    """Turn what reading a damaged table raises into one line.

    Args:
        path: of the table.
        remedy: what to do about it.
    Raises:
        FinegrainedError: in place of `damage`.
    """
    try:
        yield
    except damage() as error:
        raise FinegrainedError(f"{path} cannot be read as a .parquet table: {first_line(error)}; {remedy}") from error


def picture_columns(schema: Any) -> list[str]:
    """Columns of image files: bytes, or {bytes, path} as Hugging Face writes them."""
    return [field.name for field in schema if _holds_bytes(field.type)]


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(kind.field(place).name == "bytes" for place in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def class_names(schema: Any) -> dict[str, list[str]]:
    """Column of class numbers -> their names, as Hugging Face keeps them (`ClassLabel`) beside the table."""
    try:
        note = json.loads((schema.metadata or {})[b"huggingface"])
        features = note["info"]["features"].items()
        return {column: [*map(str, told["names"])] for column, told in features if told.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}  # the note is another program's: without it the numbers are the names
