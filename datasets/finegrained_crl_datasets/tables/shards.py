"""Parts by the names of files of many pictures, and a folder of Parquet tables as one table."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from finegrained_crl.data.tables import read_table
from finegrained_crl.errors import FinegrainedError

SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
PARTS = SPLIT_NAMES | {"dev": "val", "testing": "test", "eval": "test"}


def part_of(shard: Path) -> str | None:
    """The part that a file's path names first; None where it names none.

    >>> part_of(Path("data/train-00000-of-00002.parquet")), part_of(Path("dev/7.tar")), part_of(Path("birds.tar"))
    ('train', 'val', None)
    """
    words = re.split(r"[^a-z]+", shard.as_posix().lower())
    return next((PARTS[word] for word in words if word in PARTS), None)


def parquet_shards(folder: Path) -> list[Path]:
    """The Parquet files of a folder that name a part, relative to it."""
    shards = (path.relative_to(folder) for path in folder.rglob("*.parquet") if not path.name.startswith("."))
    return sorted(shard for shard in shards if part_of(shard))


def read_parquet_shards(folder: Path, split_column: str) -> pd.DataFrame:
    """The tables of a folder below each other, with the part that each file names.

    Args:
        folder: of `train-00000.parquet` and the like.
        split_column: what the column of parts is called; a table's own column of that name counts instead.
    Raises:
        FinegrainedError: damaged, or with other columns than the first.
    """
    tables: list[pd.DataFrame] = []
    for shard in parquet_shards(folder):
        table = read_table(folder / shard, name=shard.as_posix())
        if split_column not in table:
            table[split_column] = part_of(shard)
        if tables and set(table.columns) != set(tables[0].columns):
            here, first = ", ".join(table.columns), ", ".join(tables[0].columns)
            raise FinegrainedError(f"{folder / shard}: its columns ({here}) are not those of the first table ({first})")
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True)
    if _is_val_alone(folder):
        whole[split_column] = whole[split_column].replace({"val": "test"})
    return whole


def shards_told(folder: Path) -> str:
    """The protocol of such a folder in words."""
    count = len(parquet_shards(folder))
    return f"{count} Parquet tables, split by their names" + ", val is the test part" * _is_val_alone(folder)


def _is_val_alone(folder: Path) -> bool:
    """Whether no part is called test: what is held out and alone is what gets evaluated."""
    return "test" not in {part_of(shard) for shard in parquet_shards(folder)}
