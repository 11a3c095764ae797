"""Where a picture's bytes are: in a file of its own, or in a file of many, as `FILE#INDEX`.

Whatever opens, hashes or looks for a picture asks here, so that checking, auditing, training, predicting and the
fingerprint do the same with both.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import Path
from typing import BinaryIO

from finegrained_crl.data.array_files import open_array_file
from finegrained_crl.data.regular import is_regular, open_regular, sha256_of, status
from finegrained_crl.errors import FinegrainedError

ITEM = re.compile(r"(?P<file>.*[^/])#(?P<index>\d{1,12})", re.DOTALL)


def item_name(file: str, index: int) -> str:
    """The path of a picture in a file of many, counted from 0.

    >>> item_name("data_batch_1", 7)
    'data_batch_1#7'
    """
    return f"{file}#{index}"


def item_of(path: Path) -> tuple[Path, int] | None:
    """The file of many that a picture is in, and its index; None for a picture with a file of its own.

    A file whose own name ends in `#7` is itself.
    """
    named = ITEM.fullmatch(os.fspath(path))
    if named is None or status(path) is not None:
        return None
    return Path(named["file"]), int(named["index"])


def open_source(path: Path) -> BinaryIO:
    """Open a picture's bytes.

    Raises:
        FinegrainedError: nothing there, no regular file, or no such picture in it.
    """
    item = item_of(path)
    return open_regular(path) if item is None else io.BytesIO(_item(path, *item))


def source_bytes(path: Path) -> bytes:
    """All bytes of a picture; raises as `open_source`, and where the disk fails."""
    with open_source(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise FinegrainedError(f"{path}: {error.strerror or error}") from error


def source_sha256(path: Path) -> str:
    """SHA-256 of a picture's bytes, in hexadecimal digits; raises as `open_source`."""
    item = item_of(path)
    return sha256_of(path) if item is None else hashlib.sha256(_item(path, *item)).hexdigest()


def source_status(path: Path) -> os.stat_result | None:
    """The status of the file that a picture is in; None where there is none."""
    item = item_of(path)
    return status(path if item is None else item[0])


def is_there(path: Path) -> bool:
    """Whether the file that a picture is in is there and a regular one."""
    item = item_of(path)
    return is_regular(path if item is None else item[0])


def items_in(file: Path) -> list[Path]:
    """The pictures of a file of many."""
    return [file.with_name(item_name(file.name, index)) for index in range(open_array_file(file).size)]


def _item(path: Path, file: Path, index: int) -> bytes:
    if status(file) is None:
        raise FinegrainedError(f"{path}: no such file")
    content = open_array_file(file)
    if index >= content.size:
        raise FinegrainedError(f"{path}: no such picture, the file holds {content.size}")
    return content.pictures(index)
