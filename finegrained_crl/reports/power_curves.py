"""The planner's picture: the smallest difference that a design can show, over its seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports import drawing
from finegrained_crl.statistics.power import Design, Sources, in_folds, smallest_difference

SEEDS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30)


def draw_power(sources: Sources, design: Design, figure: Figure, wanted: float, target: Path) -> Path:
    """Smallest detectable difference over the number of seeds: as planned, with twice the folds, with four times the
    people.

    Args:
        sources: what varies.
        design: the study as planned, marked.
        figure: whose difference it is.
        wanted: power.
        target: .png, .svg or .pdf to write.
    """
    plt = drawing.pyplot()
    picture, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    scale = 100 if figure.percent else 1
    for i, (label, curve) in enumerate(_curves(sources, design, wanted).items()):
        finite = np.isfinite(curve)
        seeds, values = np.array(SEEDS)[finite], scale * np.array(curve)[finite]
        axes.plot(seeds, values, drawing.STYLES[i], color=drawing.COLOURS[i], marker="o", ms=3, label=label)
    planned = scale * smallest_difference(sources, design, wanted=wanted)
    if np.isfinite(planned):
        axes.plot([design.seeds], [planned], "s", ms=9, mfc="none", color="black", label="this study")
    unit = "points" if figure.percent else figure.unit
    axes.set(xscale="log", ylim=(0, None), xlabel="seeds per fold and variant")
    axes.set_xticks(SEEDS, map(str, SEEDS))
    axes.minorticks_off()
    axes.set_ylabel(f"smallest difference found\nin {100 * wanted:.0f} % of studies ({unit})")
    axes.set_title(f"What the study can show, {figure.title}", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return drawing.save(picture, target, dpi=150)


def _curves(sources: Sources, design: Design, wanted: float) -> dict[str, list[float]]:
    more_people = sources.times(people=0.25)
    name = "one split" if design.folds == 1 else f"{design.folds} folds"
    cases = {f"{name}, as planned": (sources, design), f"{name}, 4 x the people": (more_people, design)}
    if design.folds > 1:
        twice = design._replace(folds=2 * design.folds)
        cases[f"the same pictures in {twice.folds} folds"] = (in_folds(sources, design.folds, twice.folds), twice)
    return {
        label: [smallest_difference(of, size._replace(seeds=n), wanted=wanted) for n in SEEDS]
        for label, (of, size) in cases.items()
    }
