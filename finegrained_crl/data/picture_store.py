"""Decoded and resized pictures of a data set in one memory-mapped file: decoded once, by whichever run comes first.

A store is two files in the cache folder (`content_hashes.cache_folder`). Their name says what is in them - the SHA-256
of each picture, how it was prepared, the libraries that did it - so that a changed picture is another store. KEY.pixels
holds all pixels one after the other, KEY.npz where each picture begins, its height and width, and the SHA-256 of the
pixels; it is written last, and a store that doesn't agree with it is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from finegrained_crl.data.content_hashes import CACHE_VARIABLE, cache_folder
from finegrained_crl.data.images import read_image
from finegrained_crl.data.regular import sha256_of
from finegrained_crl.data.windows import Ints
from finegrained_crl.errors import FinegrainedError

FORMAT = 1
DECODERS = ("pillow", "opencv-python-headless", "albumentations")
CHUNK = 256
"""Pictures decoded ahead of the one that is being written."""


@dataclass(frozen=True)
class PictureStore:
    """Prepared pictures, by their place in the store.

    Attributes:
        pixels: uint8, (all pixels, 3).
        starts: int64, (n,), first pixel of each picture.
        heights: int64, (n,).
        widths: int64, (n,).
    """

    pixels: npt.NDArray[np.uint8]
    starts: Ints
    heights: Ints
    widths: Ints

    def picture(self, place: int) -> npt.NDArray[np.uint8]:
        """One picture, (height, width, 3); a view."""
        start, height, width = self.starts[place], self.heights[place], self.widths[place]
        return self.pixels[start : start + height * width].reshape(height, width, 3)


Prepare = Callable[[np.ndarray], np.ndarray]


def store_key(digests: list[str], prepared: str, *, convert: bool) -> str:
    """The name of a store.

    Args:
        digests: SHA-256 of each picture's file.
        prepared: what is done to each, in words.
        convert: whether doubtful modes are converted.
    """
    libraries = " ".join(f"{name} {_version(name)}" for name in DECODERS)
    head = f"store {FORMAT}; {prepared}; convert {convert}; {libraries}"
    return hashlib.sha256("\n".join([head, *digests]).encode()).hexdigest()[:32]


def open_store(
    key: str, paths: list[Path], prepare: Prepare, *, convert: bool, least_side: int | None = None
) -> PictureStore:
    """The store of that name; made where it isn't there, or is damaged.

    Args:
        key: from `store_key`.
        paths: of the pictures, in their order.
        prepare: decoded picture -> what is kept.
        convert, least_side: as for `read_image`.
    Raises:
        FinegrainedError: a picture can't be read, or there is no room.
    """
    folder = cache_folder() / "pictures"
    store = _open(folder, key)
    if store is not None:
        return store
    try:
        _make(folder, key, _prepared(paths, prepare, convert, least_side))
    except OSError as error:
        raise FinegrainedError(
            f"can't keep decoded pictures in {folder} ({error.strerror or error}): free space, set {CACHE_VARIABLE} to"
            " another folder, or pass --data-in files"
        ) from error
    written = _open(folder, key)
    if written is None:
        raise FinegrainedError(f"{folder / key}.pixels changed while it was written: is the disk sound?")
    return written


def _prepared(
    paths: list[Path], prepare: Prepare, convert: bool, least_side: int | None
) -> Iterator[npt.NDArray[np.uint8]]:
    """The pictures in their order; threads, since decoding and resizing are done outside of Python's lock."""

    def one(path: Path) -> npt.NDArray[np.uint8]:
        return prepare(read_image(path, convert=convert, least_side=least_side))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for first in range(0, len(paths), CHUNK):
            yield from pool.map(one, paths[first : first + CHUNK])


def _make(folder: Path, key: str, pictures: Iterator[npt.NDArray[np.uint8]]) -> None:
    """Write both files; several runs may make one store at once, the last one wins."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes: list[tuple[int, int]] = []
    digest = hashlib.sha256()
    with _replacing(folder / f"{key}.pixels") as file:
        for picture in pictures:
            content = np.ascontiguousarray(picture)
            digest.update(content.data)
            file.write(content.data)
            shapes.append((content.shape[0], content.shape[1]))
    sides = np.array(shapes, np.int64).reshape(-1, 2)
    with _replacing(folder / f"{key}.npz") as file:
        np.savez(file, heights=sides[:, 0], widths=sides[:, 1], sha256=np.array(digest.hexdigest()))


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file under a name of its own, which takes the place of `path` when all is written, and else goes."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.replace(partial, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def _open(folder: Path, key: str) -> PictureStore | None:
    """The store; None where there is none, or one of its files isn't what it was when it was written."""
    pixels, index = folder / f"{key}.pixels", folder / f"{key}.npz"
    try:
        with np.load(index) as values:
            heights, widths, digest = values["heights"], values["widths"], str(values["sha256"])
        if sha256_of(pixels) != digest:
            return None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, FinegrainedError):
        return None
    ends = np.cumsum(heights * widths)
    # A plain array over the map: numpy's memmap class makes each slice several times as slow.
    flat = np.asarray(np.memmap(pixels, np.uint8, mode="r")) if len(ends) else np.zeros(0, np.uint8)
    return PictureStore(flat.reshape(-1, 3), ends - heights * widths, heights, widths)


def room_for_stores() -> int:
    """Free bytes where stores are kept."""
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # OpenCV comes under several names
        return "of another build"
