"""Charts of a study as a whole: who is better by how much, fold by fold, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports import drawing
from finegrained_crl.reports.comparison import read_epochs
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.page.charts import MOST_NAMED, Chart, axes_of, look, shortened

VERDICT_MARKS = {"better": "^", "worse": "v", "equivalent": "s", "cannot tell": "o"}


def forest(differences: pd.DataFrame, figure: Figure, weights: str, rope: float) -> Chart | None:
    """Differences from the baselines with their intervals, and the region of practical equivalence."""
    rows = differences[(differences["figure"] == figure.name) & (differences["weights"] == weights)]
    rows = rows[rows["difference"].notna()]
    if rows.empty:
        return None
    scale = 100 if figure.percent else 1
    names = [f"{variant_title(row['variant'])} − {variant_title(row['baseline'])}" for _, row in rows.iterrows()]
    picture, axes = axes_of(7, 0.9 + 0.32 * len(rows), names)
    for i, (_, row) in enumerate(rows.iterrows()):
        if np.isfinite(row["low"]):
            axes.plot([scale * row["low"], scale * row["high"]], [i, i], color=drawing.COLOURS[0], lw=2)
        mark = VERDICT_MARKS[row["verdict"]]
        filled = row["verdict"] != "cannot tell"
        axes.plot(scale * row["difference"], i, mark, color=drawing.COLOURS[0], mfc=None if filled else "none", ms=7)
    axes.axvline(0, color="black", lw=0.8)
    if rope and figure.percent:
        axes.axvspan(-rope, rope, color=drawing.COLOURS[4], alpha=0.25, lw=0)
    axes.set_yticks(range(len(rows)), [shortened(name, 48) for name in names])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    unit = "points" if figure.percent else figure.unit
    axes.set_xlabel(f"difference in {figure.title.removesuffix(' %')} ({unit}); {figure.better} is better", fontsize=8)
    return Chart(
        "forest",
        f"Differences in {figure.title}",
        "; ".join(_difference_words(name, row, figure) for name, (_, row) in zip(names, rows.iterrows(), strict=True)),
        "Each line is a 95 % interval of the mean difference over folds and seeds; the mark is the difference."
        " Triangles are claims (up: better, down: worse), squares are equivalent, open circles: cannot tell.",
        picture,
    )


def _difference_words(name: str, row: Any, figure: Figure) -> str:
    value, low, high = (figure.show(row[key], signed=True) for key in ("difference", "low", "high"))
    return f"{name}: {value} ({low} to {high}), {row['verdict']}"


def fold_dots(runs: pd.DataFrame, figure: Figure) -> Chart | None:
    """Each fold's figure (each seed's, on one split), joined across variants.

    Args:
        runs: variant, fold, seed, value.
        figure: what the values are.
    """
    rows = runs[runs["value"].notna()]
    variants = list(dict.fromkeys(rows["variant"]))[:MOST_NAMED]
    axis = "fold" if rows["fold"].nunique() > 1 else "seed"
    table = rows.pivot_table(index=axis, columns="variant", values="value", aggfunc="mean", dropna=False)
    if len(variants) < 2 or table.empty:
        return None
    scale = 100 if figure.percent else 1
    picture, axes = axes_of(7, 3.2, variants)
    for i, (unit, values) in enumerate(table[variants].iterrows()):
        axes.plot(range(len(variants)), scale * values, label=f"{axis} {unit}", lw=1, ms=5, **look(i))
    axes.set_xticks(range(len(variants)), [shortened(variant_title(v), 24) for v in variants])
    axes.tick_params(axis="x", rotation=30 if len(variants) > 4 else 0)
    axes.set_ylabel(figure.title, fontsize=8)
    if len(table) <= MOST_NAMED:
        # Lines may run anywhere, so that no place inside is free of them.
        picture.legend(loc="outside right upper", frameon=False, fontsize=7)
    best = table[variants].mean().idxmax() if figure.better == "higher" else table[variants].mean().idxmin()
    return Chart(
        "folds",
        f"{figure.title}, {axis} by {axis}",
        f"{len(table)} {axis}s across {len(variants)} variants; the best mean is that of {variant_title(str(best))}",
        f"A line joins what the variants reached on one {axis}. Lines that run side by side mean that {axis}s differ"
        " more than variants do; lines that cross, that the winner depends on it.",
        picture,
    )


def learning_curves(runs: dict[str, list[Path]]) -> Iterator[Chart]:
    """Loss and accuracy over the epochs: the median over a variant's runs, their range, the runs behind.

    Args:
        runs: variant -> run folders; those without epochs are left out.
    """
    tables = {}
    for variant, folders in list(runs.items())[:MOST_NAMED]:
        histories = [pd.DataFrame(read_epochs(folder)) for folder in folders if (folder / "epochs.csv").is_file()]
        if histories:
            tables[variant] = histories
    if not tables:
        return
    columns = set.intersection(*(set(table) for tables_of in tables.values() for table in tables_of))
    accuracy = next((name for name in ("val_top1", "test_top1", "train_accuracy") if name in columns), None)
    yield _curves(tables, "train_loss", 1, "curves-loss", "Training loss", "each loss in its own unit")
    if accuracy:
        where = {"val_top1": "on validation", "test_top1": "on the watched test part"}.get(accuracy, "in training")
        yield _curves(tables, accuracy, 100, "curves-accuracy", f"Accuracy {where}", "%")


def _curves(
    tables: dict[str, list[pd.DataFrame]], column: str, scale: float, name: str, title: str, unit: str
) -> Chart:
    picture, axes = axes_of(7, 3.2, list(tables))
    words = []
    for i, (variant, histories) in enumerate(tables.items()):
        style = look(i)
        runs = pd.concat([h.set_index("epoch")[column] for h in histories if column in h], axis=1) * scale
        for _, run in runs.items():
            axes.plot(run.index, run, color=style["color"], lw=0.6, alpha=0.3)
        middle = runs.median(axis=1)
        axes.fill_between(runs.index, runs.min(axis=1), runs.max(axis=1), color=style["color"], alpha=0.12, lw=0)
        label = shortened(variant_title(variant), 30)
        axes.plot(middle.index, middle, color=style["color"], ls=style["ls"], lw=1.8, label=label)
        words.append(f"{variant_title(variant)} ends at a median of {middle.iloc[-1]:.3g}")
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel(f"{title.lower()} ({unit})", fontsize=8)
    axes.legend(frameon=False, fontsize=7)
    apart = " Losses of different kinds have different units: compare their shape, not their height."
    return Chart(
        name,
        title,
        "; ".join(words),
        "Thick: the median over folds and seeds; the band reaches from the lowest run to the highest, thin lines are"
        f" runs.{apart if column == 'train_loss' else ' A band wider than the gap between medians is chance.'}",
        picture,
    )
