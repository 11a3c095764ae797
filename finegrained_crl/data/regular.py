"""Reading regular files only: a pipe would wait for ever, a device would fill the memory."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from finegrained_crl.errors import FinegrainedError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
CHUNK = 1 << 20


def status(path: Path) -> os.stat_result | None:
    """A file's status, links followed; None where nothing can be there: no such file, or a name no file can have."""
    try:
        return path.stat()
    except (OSError, ValueError):  # ValueError: a zero byte or half a surrogate pair in the name
        return None


def is_regular(path: Path) -> bool:
    """Whether a path leads to a file that ends."""
    state = status(path)
    return state is not None and stat.S_ISREG(state.st_mode)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, and only a file; links are followed.

    Raises:
        FinegrainedError: nothing there, not allowed, or no regular file; the text says which.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe itself waits for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise FinegrainedError(f"{path}: {_why_not(path, error)}") from error
    kind = stat.S_IFMT(os.fstat(handle).st_mode)
    if kind != stat.S_IFREG:
        os.close(handle)
        raise FinegrainedError(f"{path}: {_no_file(kind)}")
    return os.fdopen(handle, "rb")


def read_regular(path: Path, limit: int | None = None) -> bytes:
    """All bytes of a regular file.

    Args:
        path: the file.
        limit: most bytes that are read; None: as many as there are.
    Raises:
        FinegrainedError: as for `open_regular`, a file beyond the limit, or a disk that fails.
    """
    with open_regular(path) as file:
        try:
            content = file.read() if limit is None else file.read(limit + 1)
        except OSError as error:
            raise FinegrainedError(f"{path}: {error.strerror or error}") from error
    if limit is not None and len(content) > limit:
        raise FinegrainedError(f"{path}: larger than {limit / 1e6:,.0f} MB; is it the right file?")
    return content


def sha256_of(path: Path) -> str:
    """SHA-256 of a regular file's bytes, in hexadecimal digits.

    Raises:
        FinegrainedError: as for `read_regular`.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        try:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        except OSError as error:
            raise FinegrainedError(f"{path}: {error.strerror or error}") from error
    return digest.hexdigest()


def _why_not(path: Path, error: Exception) -> str:
    state = status(path)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if state is not None and not stat.S_ISREG(state.st_mode):  # a socket can't be opened at all
        return _no_file(stat.S_IFMT(state.st_mode))
    return getattr(error, "strerror", None) or str(error)


def _no_file(kind: int) -> str:
    return f"not a regular file but {KINDS.get(kind, 'something else')}; put the file itself there, or remove its row"
