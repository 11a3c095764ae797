"""SHA-256 of every file of a data set; what was hashed before is taken from a cache as long as the file's status is the
same.

The cache is a convenience: a missing, damaged or unwritable one costs time and changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from finegrained_crl.data.picture_source import source_sha256, source_status
from finegrained_crl.errors import FinegrainedError

CACHE_VARIABLE = "FINEGRAINED_CRL_CACHE"
THREADS = 4
RACY_NS = 2_000_000_000
"""A file that was written within two seconds of being hashed may be written again without another time stamp: it isn't
cached."""

Status = tuple[int, int, int, int]
"""Size, times of the last change of content and of status in ns, inode: a file that is put in another's place differs
in one."""
Cache = dict[str, tuple[Status, str]]


def cache_folder() -> Path:
    """Where hashes are kept between runs: $FINEGRAINED_CRL_CACHE, or finegrained-crl in the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "finegrained-crl"


def content_hashes(
    root: Path, paths: Iterable[str], progress: Callable[[int, int], None] | None = None
) -> dict[str, str]:
    """SHA-256 of each file's bytes.

    Args:
        root: folder that the paths are relative to.
        paths: files.
        progress: called with (files done, files in all).
    Returns:
        path -> 64 hexadecimal digits; "" where the file is missing, can't be read, or is no regular file.
    """
    names = list(dict.fromkeys(paths))
    cached, store = _read(root), _file_of(root)
    hashes: dict[str, str] = {}
    fresh: Cache = {}
    with ThreadPoolExecutor(THREADS) as pool:
        results = pool.map(lambda name: _hash(root / name, cached.get(name)), names)
        for done, (name, (state, digest)) in enumerate(zip(names, results, strict=True), start=1):
            hashes[name] = digest
            if state and cached.get(name) != (state, digest):
                fresh[name] = (state, digest)
            if progress:
                progress(done, len(names))
    if fresh:
        _write(store, cached | fresh)
    return hashes


def _hash(path: Path, cached: tuple[Status, str] | None) -> tuple[Status | None, str]:
    """A file's status where it may be cached, and its hash."""
    before = _status(path)
    if before and cached and cached[0] == before:
        return cached
    started = time.time_ns()
    try:
        digest = source_sha256(path)
    except FinegrainedError:
        return None, ""
    settled = before is not None and max(before[1], before[2]) < started - RACY_NS
    return (before if settled and before == _status(path) else None), digest


def _status(path: Path) -> Status | None:
    state = source_status(path)
    return (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino) if state else None


def _file_of(root: Path) -> Path:
    """One file per image root, so that data sets don't wait for each other."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    return cache_folder() / "hashes" / f"{name}.json"


def _read(root: Path) -> Cache:
    """What is cached for a root; nothing where the file isn't exactly what `_write` wrote."""
    try:
        checksum, _, body = _file_of(root).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return {}
        return {name: (_numbers(state), digest) for name, state, digest in json.loads(body)}
    except (OSError, ValueError, TypeError):
        return {}


def _numbers(state: list[int]) -> Status:
    size, modified, changed, inode = state
    return size, modified, changed, inode


def _write(path: Path, entries: Cache) -> None:
    """Replace the cache file at once; each writer has a partial file of its own, since runs share the cache."""
    body = json.dumps(
        [[name, state, digest] for name, (state, digest) in entries.items()], separators=(",", ":")
    ).encode()
    checksum = hashlib.sha256(body).hexdigest().encode()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(checksum + b"\n" + body)
            os.replace(partial, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(partial)
