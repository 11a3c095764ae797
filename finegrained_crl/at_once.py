"""Folders and long files that appear whole under their name, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError


def require_absent(out: Path, flag: str = "--out") -> None:
    """Refuse a place that is taken, before anything is computed.

    Raises:
        FinegrainedError: something is there; an empty folder is nothing.
    """
    is_empty = out.is_dir() and not out.is_symlink() and not any(out.iterdir())
    if os.path.lexists(out) and not is_empty:
        raise FinegrainedError(f"{flag} {out} is there already: choose another, or remove it")


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` to write into; it gets its name when everything is written.

    Raises:
        FinegrainedError: `out` is there already, or can't be made.
    """
    require_absent(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    files.make_folder(partial)
    try:
        yield partial
        require_absent(out)
        os.replace(partial, out)
        files.sync_folder(out.parent)
    except OSError as error:
        raise FinegrainedError(f"can't write {out} ({error.strerror or error}): nothing was left behind") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def growing_file(path: Path) -> Iterator[TextIO]:
    """A text file that is written bit by bit and gets its name, and replaces what had it, when it is complete.

    Raises:
        FinegrainedError: the disk is full or the folder not writable; an older content of `path` is untouched.
    """
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe: bytes go through
        with path.open("w", encoding="utf-8", newline="") as through:
            yield through
        return
    files.make_folder(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        files.sync_folder(path.parent)
    except OSError as error:
        raise FinegrainedError(f"can't write {path} ({error.strerror or error}): what was there is kept") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
