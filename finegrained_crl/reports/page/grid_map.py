"""Means over an alpha x beta grid as a heat map, and beside it how much of them is chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports.page.charts import Chart, axes_of

AXES = ["loss.alpha", "loss.beta"]


def grid_map(variants: pd.DataFrame, figure: Figure, weights: str) -> Chart | None:
    """The mean of each cell of the grid and half of its 95 % interval, where the study has such a grid.

    Args:
        variants: `StudyFigures.variants`.
        figure: what is shown.
        weights: of which weights.
    """
    rows = variants[(variants["figure"] == figure.name) & (variants["weights"] == weights)]
    table = pd.DataFrame([{**_settings(row["variant"]), **_numbers(row, figure)} for _, row in rows.iterrows()])
    if not {*AXES} <= set(table) or table["loss.alpha"].nunique() < 2:
        return None
    of_grid = table.dropna(subset=AXES)
    picture, (means, noise) = axes_of(8.4, 3.8, ncols=2)
    _heat_map(means, of_grid, "mean", figure.title)
    _heat_map(noise, of_grid, "noise", "± noise of a cell: half its 95 % interval")
    best = of_grid.sort_values("mean", kind="stable").iloc[-1 if figure.better == "higher" else 0]
    span, typical = of_grid["mean"].max() - of_grid["mean"].min(), of_grid["noise"].median()
    return Chart(
        "alpha-beta",
        f"{figure.title} over alpha and beta",
        f"best at alpha {best['loss.alpha']:g}, beta {best['loss.beta']:g}: {best['mean']:.2f}; "
        f"cells differ by up to {span:.2f}, the interval of one is ± {typical:.2f} (median)",
        "Left: each cell is the mean over folds and seeds. Right: half of its 95 % interval, the chance in it. Where"
        " cells differ by less than their noise, the difference says nothing; the best of many noisy cells is partly"
        " luck.",
        picture,
    )


def _numbers(row: Any, figure: Figure) -> dict[str, float]:
    scale = 100 if figure.percent else 1
    return {"mean": scale * row["mean"], "noise": scale * (row["high"] - row["low"]) / 2}


def _heat_map(axes: Any, table: pd.DataFrame, column: str, title: str) -> None:
    grid = table.pivot_table(index="loss.beta", columns="loss.alpha", values=column, dropna=False)
    grid = grid.sort_index(ascending=False)
    values = grid.to_numpy(dtype=np.float64)
    image = axes.imshow(values, cmap="cividis", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if image.norm(value) < 0.55 else "#111111"
            axes.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=7, color=ink)
    axes.set_xticks(range(grid.shape[1]), [f"{a:g}" for a in grid.columns])
    axes.set_yticks(range(grid.shape[0]), [f"{b:g}" for b in grid.index])
    axes.set(xlabel="alpha", ylabel="beta")
    axes.set_title(title, fontsize=9)


def _settings(variant: str) -> dict[str, float]:
    settings = {}
    for word in variant.split(" ")[1:]:
        key, _, value = word.partition("=")
        if key in AXES:
            settings[key] = float(value)
    return settings
