"""Files that hold many pictures each: pickled batches, binary batches, .mat files, Parquet tables, tar shards.

Each picture is given as the bytes of an image file of its own. A picture that is an array becomes a PPM, which keeps
every value, so that what reads, hashes, checks and shows image files does the same with pictures in arrays.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.data.matlab import read_mat_arrays
from finegrained_crl.data.parquet import damage_told, picture_columns
from finegrained_crl.data.parquet_pictures import ParquetPictures, group_starts
from finegrained_crl.data.plain_pickle import read_plain_pickle
from finegrained_crl.data.regular import open_regular, read_regular, status
from finegrained_crl.data.tar_shards import picture_members, read_member
from finegrained_crl.errors import FinegrainedError

MOST_BYTES = 1 << 30
SIDE = 32
PIXELS = 3 * SIDE * SIDE
COARSE_AND_FINE = ("train.bin", "test.bin")
"""CIFAR-100's binary files, whose records begin with two labels; those of CIFAR-10 begin with one."""
OPEN_FILES = 8
"""Whose pictures are in memory."""
OPEN_INDEXES = 4096
"""Of files whose pictures are read when they are asked for."""
INDEXED = (".parquet", ".tar")
AGAIN = "download it again"


@dataclass(frozen=True)
class ArrayFile:
    """The content of one file.

    Attributes:
        pictures: index -> bytes of an image file.
        size: number of pictures.
        columns: what stands beside the pictures, a value each ("labels", "fine_labels", "filenames" ..).
    """

    pictures: Callable[[int], bytes]
    size: int
    columns: dict[str, list[Any]]


def open_array_file(path: Path) -> ArrayFile:
    """Read a file of pictures, or where they are in it; the last few stay as long as they are not changed.

    Args:
        path: .parquet, .mat, .bin, .tar, or a pickle under any other name.
    Raises:
        FinegrainedError: damaged, or holding no pictures.
    """
    state = status(path)
    # One at a time: a file that several threads ask for is read once.
    read = _indexed if path.suffix.lower() in INDEXED else _loaded
    with _LOCK:
        return read(path, (state.st_size, state.st_mtime_ns, state.st_ino) if state else None)


_LOCK = threading.Lock()


def _read(path: Path, _state: tuple[int, int, int] | None) -> ArrayFile:
    reader = READERS.get(path.suffix.lower(), _from_pickle)
    content = reader(path)
    wrong = [name for name, values in content.columns.items() if len(values) != content.size]
    if wrong:
        raise FinegrainedError(
            f"{path}: {content.size} pictures and {len(content.columns[wrong[0]])} '{wrong[0]}'; {AGAIN}"
        )
    return content


_loaded = functools.lru_cache(maxsize=OPEN_FILES)(_read)
_indexed = functools.lru_cache(maxsize=OPEN_INDEXES)(_read)


def _of_arrays(pixels: np.ndarray, columns: dict[str, list[Any]]) -> ArrayFile:
    """Pictures, uint8 (n, height, width, 3), as PPM files."""
    header = f"P6 {pixels.shape[2]} {pixels.shape[1]} 255\n".encode()
    return ArrayFile(lambda index: header + pixels[index].tobytes(), len(pixels), columns)


def _from_pickle(path: Path) -> ArrayFile:
    """A batch of CIFAR's Python version: rows of red, green and blue planes."""
    content = read_plain_pickle(path)
    if not isinstance(content, dict):
        raise FinegrainedError(f"{path}: no batch of pictures (a {type(content).__name__}); {AGAIN}")
    batch = {_text(key): value for key, value in content.items()}
    data = batch.pop("data", None)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        raise FinegrainedError(f"{path}: no 'data' of {PIXELS} bytes a picture; {AGAIN}")
    columns = {name: [_text(value) for value in values] for name, values in batch.items() if isinstance(values, list)}
    return _of_arrays(_planes(data), columns)


def _from_binary(path: Path) -> ArrayFile:
    """A batch of CIFAR's binary version: one label byte (CIFAR-100: coarse and fine), then the planes."""
    names = ["coarse_labels", "fine_labels"] if path.name in COARSE_AND_FINE else ["labels"]
    content = np.frombuffer(read_regular(path, MOST_BYTES), dtype=np.uint8)
    record = len(names) + PIXELS
    if not len(content) or len(content) % record:
        raise FinegrainedError(f"{path}: {len(content):,} bytes, not a whole number of records of {record}; {AGAIN}")
    rows = content.reshape(-1, record)
    columns: dict[str, list[Any]] = {name: rows[:, place].tolist() for place, name in enumerate(names)}
    return _of_arrays(_planes(rows[:, len(names) :]), columns)


def _from_mat(path: Path) -> ArrayFile:
    """SVHN's cropped digits: X (height, width, 3, n) and y."""
    arrays = read_mat_arrays(path)
    pixels, labels = arrays.get("X"), arrays.get("y")
    if pixels is None or labels is None or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2] != 3:
        raise FinegrainedError(f"{path}: no pictures 'X' (height, width, 3, n) with labels 'y' in it; {AGAIN}")
    return _of_arrays(pixels.transpose(3, 0, 1, 2), {"labels": labels.ravel().tolist()})


def _from_parquet(path: Path) -> ArrayFile:
    """A table with a column of image files; the pictures are read when they are asked for."""
    import pyarrow.parquet as pq

    with damage_told(path, AGAIN), open_regular(path) as file:
        parquet = pq.ParquetFile(file)
        pictures = picture_columns(parquet.schema_arrow)
        if not pictures:
            raise FinegrainedError(f"{path}: no column of image files (JPEG or PNG bytes); is it the right file?")
        table = parquet.read(columns=[name for name in parquet.schema_arrow.names if name not in pictures])
        table.validate(full=True)
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        starts = group_starts(parquet.metadata)
    return ArrayFile(ParquetPictures(path, pictures[0], starts), int(starts[-1]), columns)


def _from_tar(path: Path) -> ArrayFile:
    """A WebDataset shard; its labels are read by the data set."""
    members = picture_members(path)
    return ArrayFile(lambda index: read_member(path, members[index]), len(members), {})


READERS: dict[str, Callable[[Path], ArrayFile]] = {
    ".bin": _from_binary,
    ".mat": _from_mat,
    ".parquet": _from_parquet,
    ".tar": _from_tar,
}


def _planes(rows: np.ndarray) -> np.ndarray:
    """(n, 3072) of red, green and blue planes as (n, 32, 32, 3)."""
    return rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
