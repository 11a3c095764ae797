"""Where a table lies, and where its pictures do."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from finegrained_crl.data.identity import plain_path
from finegrained_crl.data.records import escapes_root
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.tables.shards import parquet_shards


def table_file(data: Path, where: str) -> Path:
    """The table; or the folder itself, where Parquet tables in it name their parts.

    Args:
        data: what the user named.
        where: how the data set is to lie, in words.
    Raises:
        FinegrainedError: no table there; those that there are, are listed.
    """
    if data.exists() and not data.is_dir():
        return data
    if not data.is_dir():
        raise FinegrainedError(f"{data}: no such file. {where}")
    if (data / "labels.csv").is_file():
        return data / "labels.csv"
    if parquet_shards(data):
        return data
    tables = sorted(p.name for p in data.iterdir() if p.suffix in (".csv", ".tsv", ".parquet"))
    hint = f"give one of these as --data: {', '.join(tables)}" if tables else where
    raise FinegrainedError(f"no labels.csv in {data}; {hint}")


def no_escape(images: pd.Series, root: Path, path: Path) -> None:
    """Refuse paths out of the image folder, before any split is drawn: what they do to the classes would only hide the
    cause.

    Raises:
        FinegrainedError: the first such row.
    """
    stray = images[images.map(escapes_root)]
    if len(stray):
        raise FinegrainedError(
            f"{path}: path '{stray.iloc[0]}' in row {stray.index[0] + 2} leads out of the image folder {root}; "
            "correct it or --dataset.image-root"
        )


def relative_paths(paths: pd.Series, root: Path) -> pd.Series:
    """Forward slashes; an absolute path inside the root becomes relative, one outside is left for the records check to
    refuse.
    """
    forward = paths.str.strip().str.replace("\\", "/", regex=False)
    return forward.str.removeprefix(root.as_posix().rstrip("/") + "/").map(plain_path)
