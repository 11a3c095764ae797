"""Parquet files that may be damaged: whatever pyarrow makes of one, the user reads one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

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
