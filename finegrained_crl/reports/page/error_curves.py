"""Test error over the epochs as papers show it: smoothed, what was measured behind it, a band over the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finegrained_crl.reports.comparison import read_epochs
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.page.charts import MOST_NAMED, Chart, axes_of, look, shortened

SHARE = 15
"""One part in so many of the epochs is averaged into a point: 21 of 300, and nothing of a handful."""


def error_curves(runs: dict[str, list[Path]]) -> Chart | None:
    """Error on the watched test part, for studies that watched it (`--test-every`) more than once.

    Args:
        runs: variant -> run folders.
    """
    tables = {variant: table for variant, folders in runs.items() if len(table := _errors(folders)) > 1}
    if not tables:
        return None
    picture, axes = axes_of(7, 3.4, list(tables))
    words = []
    for i, (variant, table) in enumerate(list(tables.items())[:MOST_NAMED]):
        style, smooth = look(i), smoothed(table)
        for _, run in table.items():
            axes.plot(run.index, run, color=style["color"], lw=0.6, alpha=0.3)
        axes.fill_between(smooth.index, smooth.min(axis=1), smooth.max(axis=1), color=style["color"], alpha=0.15, lw=0)
        middle, label = smooth.mean(axis=1), shortened(variant_title(variant), 30)
        axes.plot(middle.index, middle, color=style["color"], ls=style["ls"], lw=1.8, label=label)
        words.append(f"{variant_title(variant)} ends at {table.iloc[-1].mean():.2f} %, {table.shape[1]} runs")
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel("test error %", fontsize=8)
    axes.legend(frameon=False, fontsize=7)
    axes.xaxis.get_major_locator().set_params(integer=True)
    width = max(window(len(table)) for table in tables.values())
    return Chart(
        "test-error",
        "Test error over the epochs",
        "; ".join(words),
        f"Thin: what each run measured. Thick: the mean over runs of the errors smoothed over {width} measured"
        " epochs (1: not smoothed, they are few), centred, fewer at both ends; the band reaches from the lowest"
        " smoothed run to the highest. The test part was only watched: the epoch where a curve is lowest is no result.",
        picture,
    )


def window(epochs: int) -> int:
    """How many measured epochs are averaged into a point: odd, one for fewer than 45."""
    return epochs // SHARE // 2 * 2 + 1


def smoothed(table: pd.DataFrame) -> pd.DataFrame:
    """Each column's centred moving mean; at both ends the mean of what of the window is there."""
    return table.rolling(window(len(table)), center=True, min_periods=1).mean()


def _errors(folders: list[Path]) -> pd.DataFrame:
    """Error in %, a row per epoch that all runs measured, a column per run."""
    columns = []
    for folder in folders:
        rows = read_epochs(folder) if (folder / "epochs.csv").is_file() else []
        watched = {int(row["epoch"]): 100 * (1 - row["test_top1"]) for row in rows if "test_top1" in row}
        if watched:
            columns.append(pd.Series(watched, dtype=np.float64))
    return pd.concat(columns, axis=1, join="inner").sort_index() if columns else pd.DataFrame()
