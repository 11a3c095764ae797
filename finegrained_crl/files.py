"""Writing files so that a crash, a kill or a full disk leaves the old content or the new, never a half."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import uuid
from pathlib import Path
from typing import Any

from finegrained_crl.errors import FinegrainedError


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file's content at once: write beside it, flush to the disk, rename.

    Args:
        path: the file.
        content: all of it.
        durable: it outlives a power cut, for the price of waiting for the disk.
    Raises:
        FinegrainedError: the disk is full or the folder not writable; an older content of `path` is untouched.
    """
    partial = path.with_name(f".{path.name}.partial") if path.name else path
    try:
        if _is_device(path):
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(partial, path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        before = "its previous content is kept" if os.path.exists(path) else "nothing was left behind"
        raise FinegrainedError(
            f"can't write {path} ({error.strerror or error}): {before}; free space or choose another folder, then run"
            " again with --resume"
        ) from error


def create_bytes(path: Path, content: bytes) -> bool:
    """Make a file that isn't there, whole; of several that try, on any machines, one succeeds.

    A second name for a finished file (`link`) appears at once and on NFS too, where neither locks nor `O_EXCL` of old
    servers can be relied on; where there are no hard links, `O_EXCL` it is, and a reader may meet a half.

    Returns:
        whether this call made it.
    Raises:
        FinegrainedError: the disk is full or the folder not writable.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:12]}")
    make_folder(path.parent)
    try:
        draft.write_bytes(content)
        return _linked(draft, path) or _created(content, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise FinegrainedError(
            f"can't write {path} ({error.strerror or error}): free space or choose another folder, then run again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _linked(draft: Path, path: Path) -> bool:
    """Whether the draft has the name; FileExistsError where another file has it; False where links are unknown."""
    try:
        os.link(draft, path)
    except OSError as error:
        # An answer that was lost on the way to an NFS server is asked for again, and then "exists" is our own link.
        if draft.stat().st_nlink == 2:
            return True
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            return False
        raise
    return True


def _created(content: bytes, path: Path) -> bool:
    with path.open("xb") as file:
        file.write(content)
    return True


def _is_device(path: Path) -> bool:
    """Whether bytes go through a path (/dev/stdout, a pipe) rather than stay there; a rename would replace it."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


def keep_as(path: Path, other: Path) -> None:
    """Give a file a second name, which replaces what had it; the file stays where it is.

    Raises:
        FinegrainedError: the disk is full or the folder not writable.
    """
    partial = other.with_name(f".{other.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.link(path, partial)
    except OSError:  # a file system without hard links
        write_bytes(other, path.read_bytes())
        return
    try:
        os.replace(partial, other)
    except OSError as error:
        raise FinegrainedError(
            f"can't write {other} ({error.strerror or error}): its previous content is kept"
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        FinegrainedError: a file is in the way, or it is not allowed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FinegrainedError(
            f"can't make the folder {folder} ({error.strerror or error}): choose another place"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut; where a system can't, they are as safe as it makes them."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems refuse
        pass
    finally:
        os.close(handle)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode(), durable=durable)


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON; NaN, which JSON lacks, is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        FinegrainedError: missing or damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FinegrainedError(f"{path.absolute()} can't be read: {error}") from None
    if not isinstance(value, dict):
        raise FinegrainedError(f"{path.absolute()}: expected a JSON object, got {type(value).__name__}")
    return value
