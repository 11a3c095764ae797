"""Image files in a column of a Parquet table, read by groups of rows.

Parquet compresses rows by groups, and one picture costs its whole group (Hugging Face writes a hundred rows a group).
The groups read last stay in memory, up to a bound for all tables together; a set that is larger than that is read
faster from a store (`--data-in memory`) or from a copy (`fgcrl data prepare`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.data.parquet import damage_told
from finegrained_crl.data.regular import open_regular, status

MOST_BYTES = 256 << 20
"""Of the groups that a process keeps."""
REMEDY = "write or download it again"

GroupKey = tuple[Path, int, int, int]


@dataclass(frozen=True)
class ParquetPictures:
    """The pictures of a table: index -> bytes of an image file, empty where the cell is.

    Attributes:
        path: of the table.
        column: that holds them.
        starts: int64, (groups + 1,), first row of each group of rows, and the number of rows.
    """

    path: Path
    column: str
    starts: np.ndarray

    def __call__(self, index: int) -> bytes:
        """The bytes of a picture.

        Raises:
            FinegrainedError: damaged.
        """
        group = int(np.searchsorted(self.starts, index, side="right")) - 1
        cell = self._group(group)[index - int(self.starts[group])]
        content: bytes | None = cell.as_py()
        return content or b""

    def _group(self, group: int) -> Any:
        state = status(self.path)
        key = (self.path, group, state.st_mtime_ns if state else 0, state.st_size if state else 0)
        with _LOCK:
            if key not in _GROUPS:
                _GROUPS[key] = read_group(self.path, self.column, group)
                _forget_oldest()
            _GROUPS.move_to_end(key)
            return _GROUPS[key]


_LOCK = threading.Lock()
_GROUPS: OrderedDict[GroupKey, Any] = OrderedDict()


def _forget_oldest() -> None:
    while len(_GROUPS) > 1 and sum(group.nbytes for group in _GROUPS.values()) > MOST_BYTES:
        _GROUPS.popitem(last=False)


def read_group(path: Path, column: str, group: int) -> Any:
    """A column's cells in a group of rows, as one array of bytes.

    Raises:
        FinegrainedError: damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with damage_told(path, REMEDY), open_regular(path) as file:
        table = pq.ParquetFile(file).read_row_group(group, columns=[column])
        table.validate(full=True)
        cells = table.column(column)
        if pa.types.is_struct(cells.type):
            cells = pc.struct_field(cells, "bytes")
        return pa.concat_arrays(cells.chunks) if cells.num_chunks else pa.array([], pa.binary())


def group_starts(metadata: Any) -> np.ndarray:
    """First row of each group of a table, and the number of rows: int64, (groups + 1,)."""
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
