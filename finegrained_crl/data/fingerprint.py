"""What a data set is, down to its pixels: taken when a run begins, stored with it, compared wherever a run or study
goes on.

The digests tell *that* two states of a data set differ; the table of pictures (`to_bytes`, data.parquet in a run
folder) tells where.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from finegrained_crl.data.content_hashes import content_hashes
from finegrained_crl.data.parquet import damage, first_line
from finegrained_crl.data.records import Records
from finegrained_crl.errors import FinegrainedError

SPLIT_COLUMNS = ("split", "fold", "subject", "album", "original")
"""Who may stand on which side; a data set's own names for album and original are translated."""
PICTURE_COLUMNS = ("id", "path", "label", *SPLIT_COLUMNS, "sha256")
METADATA = b"finegrained_crl"
DIGITS = 32


@dataclass(frozen=True)
class DataFingerprint:
    """A data set as digests of 32 hexadecimal digits each, and the table that they were taken from.

    Attributes:
        images: rows.
        rows: of the ids and paths, in their order.
        labels: of the class index of each row.
        split: of split, fold, subject, album and original of each row.
        class_names: of the class names in their order.
        pixels: of the bytes of every file.
        names: the class names.
        pictures: one row per picture, columns `PICTURE_COLUMNS`, all text but `label`; None where only the digests are
            known.
    """

    images: int
    rows: str
    labels: str
    split: str
    class_names: str
    pixels: str
    names: tuple[str, ...] = field(default=(), compare=False)
    pictures: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change when anything does."""
        return _digest([str(self.images), self.rows, self.labels, self.split, self.class_names, self.pixels])[:16]

    def as_dict(self) -> dict[str, Any]:
        """The digests as plain values, for JSON; without the pictures."""
        digests = {name: getattr(self, name) for name in ("images", "rows", "labels", "split", "class_names", "pixels")}
        return digests | {"digest": self.digest}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DataFingerprint:
        """Read back `as_dict`.

        Raises:
            FinegrainedError: a value is missing, or the digests don't belong together.
        """
        try:
            rows, labels, split, names, pixels = (
                str(values[name]) for name in ("rows", "labels", "split", "class_names", "pixels")
            )
            stored = cls(int(values["images"]), rows, labels, split, names, pixels)
        except (KeyError, TypeError, ValueError) as error:
            raise FinegrainedError(
                f"the stored fingerprint of the data is damaged ({type(error).__name__}: {error})"
            ) from error
        if values.get("digest") != stored.digest:
            raise FinegrainedError("the stored fingerprint of the data is damaged: its digests don't belong together")
        return stored

    def to_bytes(self) -> bytes:
        """The table of pictures as Parquet, with the digests in its metadata; for `files.write_bytes`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self.require_pictures(), preserve_index=False)
        meta = json.dumps({"fingerprint": self.as_dict(), "class_names": self.names}).encode()
        out = io.BytesIO()
        pq.write_table(table.replace_schema_metadata({METADATA: meta}), out, compression="zstd")
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> DataFingerprint:
        """Read back `to_bytes`.

        Raises:
            FinegrainedError: the bytes are damaged, or the table is not what the digests were taken from.
        """
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(io.BytesIO(content))
            meta = json.loads((table.schema.metadata or {})[METADATA])
            pictures = pd.DataFrame({name: table.column(name).to_pylist() for name in PICTURE_COLUMNS})
            names = tuple(str(name) for name in meta["class_names"])
        except damage() as error:
            raise FinegrainedError(f"the stored table of pictures is damaged ({first_line(error)})") from error
        taken = _of_pictures(pictures, names)
        if meta.get("fingerprint") != taken.as_dict():
            raise FinegrainedError("the stored table of pictures is damaged: it isn't what its digests were taken from")
        return taken

    def require_pictures(self) -> pd.DataFrame:
        """The table of pictures.

        Raises:
            FinegrainedError: only the digests are known.
        """
        if self.pictures is None:
            raise FinegrainedError("only the digests of the data are known, not its pictures")
        return self.pictures


def fingerprint(records: Records, progress: Callable[[int, int], None] | None = None) -> DataFingerprint:
    """Take the fingerprint of a data set, its files included; a file that hasn't changed since the last time isn't read
    again.

    Args:
        records: the data set.
        progress: called with (files done, files in all).
    """
    table = records.table
    hashes = content_hashes(records.root, table["path"], progress)
    columns = {"id": table["id"], "path": table["path"], "label": table["label"].astype("int64")}
    sources = {"split": "split", "fold": "fold", **records.groupings}
    texts = {name: _text(table[sources[name]]) if name in sources else "" for name in SPLIT_COLUMNS}
    pictures = pd.DataFrame({**columns, **texts, "sha256": table["path"].map(hashes)}).reset_index(drop=True)
    return _of_pictures(pictures, records.class_names)


def without_pictures(taken: DataFingerprint) -> DataFingerprint:
    """The digests alone, as `from_dict` gives them."""
    return dataclasses.replace(taken, names=(), pictures=None)


def _of_pictures(pictures: pd.DataFrame, names: tuple[str, ...]) -> DataFingerprint:
    sides = [column for name in SPLIT_COLUMNS for column in (name, *pictures[name])]
    return DataFingerprint(
        images=len(pictures),
        rows=_digest([*pictures["id"], *pictures["path"]]),
        labels=_digest(map(str, pictures["label"])),
        split=_digest(sides),
        class_names=_digest(names),
        pixels=_digest(pictures["sha256"]),
        names=names,
        pictures=pictures,
    )


def _text(column: pd.Series) -> pd.Series:
    return column.astype("string").fillna("").astype(object)


def _digest(texts: Iterable[str]) -> str:
    """Of a list of texts; each is closed by a byte that no UTF-8 text holds, so that ("ab", "c") isn't ("a", "bc")."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\xff")
    return digest.hexdigest()[:DIGITS]
