"""What stands on the page, section by section, in the order in which a reader asks."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.crossval.collect import Collected
from finegrained_crl.reports.comparison import read_epochs
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.page import gallery, score_charts, study_charts
from finegrained_crl.reports.page.agreement import agreement_charts
from finegrained_crl.reports.page.charts import Chart
from finegrained_crl.reports.page.error_curves import error_curves
from finegrained_crl.reports.page.grid_map import grid_map
from finegrained_crl.reports.page.near_copies import NearCopies, near_copies
from finegrained_crl.reports.page.thumbnails import Thumbnails
from finegrained_crl.reports.parts import TITLES, Part, grouped
from finegrained_crl.reports.sheets import make_sheets
from finegrained_crl.reports.study import StudyFigures
from finegrained_crl.reports.study_report import facts
from finegrained_crl.reports.tables import Sheet
from finegrained_crl.training import sittings

MOST_MATRICES = 4
MOST_IMAGES = 60
MOST_TEXTS = 4
"""Commands, or machines, that are told one by one."""


@dataclass(frozen=True)
class PageOptions:
    """What a page shows.

    Attributes:
        anonymous: no picture, path, subject or folder name anywhere.
        max_images: pictures that it may hold.
        near_copies: look for near-copies across the sides of the split, however many pictures there are.
    """

    anonymous: bool = False
    max_images: int = MOST_IMAGES
    near_copies: bool = False


@dataclass
class Page:
    """Everything of one page, ready to be laid out."""

    title: str
    headline: list[str]
    notes: list[str]
    facts: dict[str, str]
    state: str
    sheets: list[Sheet]
    charts: dict[str, list[Chart]]
    disagreements: list[tuple[str, int, list[gallery.Shown]]]
    hardest: list[gallery.Shown]
    pairs: list[dict[str, Any]]
    near: NearCopies | None
    cost: list[list[str]]
    recipe_differences: list[list[str]]
    provenance: dict[str, str]
    options: PageOptions
    variant_rows: list[dict[str, Any]] = field(default_factory=list)


def make_page(
    title: str, runs: dict[str, list[Path]], collected: Collected, figures: StudyFigures, options: PageOptions
) -> Page:
    """Gather what the page shows.

    Args:
        title: of the page.
        runs: variant -> its finished run folders.
        collected: the study.
        figures: computed from it.
        options: what is left out.
    """
    first = next(iter(collected.results.values()))
    weights = TITLES[first["headline"]]
    groups = {
        group[0].cell.variant: group for group in grouped([p for p in figures.parts if p.which == first["headline"]])
    }
    pictures = Thumbnails(_root(first, options), options.max_images)
    names = [str(name) for name in first["class_names"]]
    compared = _compared_runs(groups, figures)
    table = gallery.Table(groups, anonymous=options.anonymous)
    pair = _pair(figures, list(groups))
    told = facts(collected)
    page = Page(
        title="Study" if options.anonymous else f"Study {title}",
        headline=figures.headline or ["One variant: nothing is compared."],
        notes=figures.notes,
        facts={key: value for key, value in told.items() if not (options.anonymous and key in ("data", "method"))},
        state=_state(collected),
        sheets=make_sheets(figures, first["dataset"]["name"], told["data"]),
        charts=_charts(runs, figures, groups, compared, names, weights, pair),
        disagreements=gallery.disagreements(table, *pair, names, pictures) if pair else [],
        hardest=gallery.hardest(table, names, pictures),
        pairs=gallery.confused_pairs(groups[pair[0] if pair else next(iter(groups))], names, pictures),
        near=near_copies(
            next(folder for folders in runs.values() for folder in folders),
            _root(first, options),
            pictures,
            asked=options.near_copies,
        ),
        cost=_cost(runs),
        recipe_differences=_recipe_differences(collected),
        provenance=_provenance(collected, runs, options),
        options=options,
        variant_rows=_variant_rows(figures, compared, weights),
    )
    if pair:
        # Files only: the page's own gallery shows these pictures, and comes first where there are few.
        page.charts["pictures"] = list(agreement_charts(table, pair, names, pictures))
    return page


def _root(results: dict[str, Any], options: PageOptions) -> Path | None:
    root = results["data"].get("root")
    return Path(root) if root and not options.anonymous and options.max_images else None


def _pair(figures: StudyFigures, variants: list[str]) -> tuple[str, str] | None:
    """The comparison that galleries show: the first of the study."""
    for variant in variants:
        if figures.baselines.get(variant, variant) in variants and figures.baselines[variant] != variant:
            return variant, figures.baselines[variant]
    return None


def _state(collected: Collected) -> str:
    missing = int((collected.cells["state"] != "done").sum())
    return f"{missing} of {len(collected.cells)} cells are not finished" if missing else ""


def _charts(
    runs: dict[str, list[Path]], figures: StudyFigures, groups: dict[str, list[Part]], compared: pd.DataFrame,
    names: list[str], weights: str, pair: tuple[str, str] | None,
) -> dict[str, list[Chart]]:  # fmt: skip
    primary = figures.primary
    matrices = [
        score_charts.confusion(group, names, variant, f"confusion-{i}")
        for i, (variant, group) in enumerate(list(groups.items())[:MOST_MATRICES])
    ]
    if pair:
        matrices.append(score_charts.confusion_difference(groups[pair[0]], groups[pair[1]], names, pair))
    sections: dict[str, list[Chart | None]] = {
        "differences": [study_charts.forest(figures.differences, primary, weights, figures.rope)]
        if len(figures.differences)
        else [],
        "folds": [study_charts.fold_dots(compared, primary)],
        "settings": [grid_map(figures.variants, primary, weights)],
        "curves": [error_curves(runs), *study_charts.learning_curves(runs)],
        "probabilities": [score_charts.reliability(groups), score_charts.coverage_risk(groups)],
        "distances": [score_charts.distances(groups)] if figures.ordered else [],
        "confusions": matrices,
        "recall": [score_charts.recall_chart(figures.groups, weights)],
    }
    return {name: [chart for chart in charts if chart] for name, charts in sections.items()}


def _variant_rows(figures: StudyFigures, runs: pd.DataFrame, weights: str) -> list[dict[str, Any]]:
    """The sortable table: each variant's primary figure with interval, and its folds and seeds."""
    primary = figures.primary
    table = figures.variants[(figures.variants["figure"] == primary.name) & (figures.variants["weights"] == weights)]
    rows = []
    for _, row in table.iterrows():
        own = runs[runs["variant"] == row["variant"]]
        shown = [primary.show(row[name]) for name in ("mean", "low", "high", "deviation")]
        listed = [(run["where"], run["seed"], primary.show(run["value"])) for _, run in own.iterrows()]
        rows.append({"variant": variant_title(row["variant"]), "value": row["mean"], "shown": shown, "runs": listed})
    return rows


def _compared_runs(groups: dict[str, list[Part]], figures: StudyFigures) -> pd.DataFrame:
    """The runs that are compared, in the primary figure; of settings chosen on validation, the chosen ones."""
    rows = []
    for variant, group in groups.items():
        for part in sorted(group, key=lambda part: (str(part.cell.fold), part.cell.seed)):
            fold = part.cell.fold
            where = "split" if fold is None else f"fold {fold}"
            value = figures.primary.value(part.scores)
            rows.append({"variant": variant, "fold": fold, "where": where, "seed": part.cell.seed, "value": value})
    return pd.DataFrame(rows)


def _cost(runs: dict[str, list[Path]]) -> list[list[str]]:
    """Variant, runs, seconds per run, images per second and MiB of memory (of the GPU where one was used): medians; of
    runs that trained epoch by epoch.
    """
    rows = []
    for variant, folders in runs.items():
        tables = []
        for folder in folders:
            if (folder / "epochs.csv").is_file():
                tables.append(pd.DataFrame(read_epochs(folder)))
        if tables and all("seconds" in table for table in tables):
            seconds = np.median([table["seconds"].sum() for table in tables])
            speed = np.median([table["images_per_second"].median() for table in tables])
            numbers = [str(len(tables)), f"{seconds:.0f}", f"{speed:.1f}", _memory(folders)]
            rows.append([variant_title(variant), *numbers])
    return rows


def _memory(folders: list[Path]) -> str:
    """Median peak of the last process of each run, MiB; "" where none was kept."""
    last = [sitting for folder in folders for sitting in sittings.read(folder)[-1:]]
    peaks = [sitting.get("peak_gpu_mib", sitting.get("peak_mib")) for sitting in last]
    measured = [float(peak) for peak in peaks if isinstance(peak, int)]
    return f"{np.median(measured):,.0f}" if measured else ""


def _recipe_differences(collected: Collected) -> list[list[str]]:
    """Settings that are not the same in all variants: a row per setting, a column per variant."""
    recipes = {name: recipe.as_dict() for name, recipe in collected.study.variants.items()}
    rows = [["setting", *map(variant_title, recipes)]]
    for setting in next(iter(recipes.values())):
        values = [str(recipe[setting]) for recipe in recipes.values()]
        if setting not in ("fold", "seed") and len(set(values)) > 1:
            rows.append([setting, *values])
    return rows


def _provenance(collected: Collected, runs: dict[str, list[Path]], options: PageOptions) -> dict[str, str]:
    first = next(iter(collected.results.values()))
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    told = {
        "data fingerprint": str(first["data"]["fingerprint"]["digest"]),
        "versions": versions,
        "precision": f"{first.get('precision', '?')}, {first.get('memory_format', '?')}",
        "report made with": f"Python {platform.python_version()}",
    }
    folders = [folder for listed in runs.values() for folder in listed]
    of_cells = [sitting for folder in folders for sitting in sittings.read(folder)]
    for name, key in (("hardware", "machine"), ("source", "source")):
        told |= {name: text} if (text := _distinct(of_cells, key)) else {}
    if not options.anonymous:
        studies = {folder.parent.parent for folder in folders if folder.parent.name == "cells"}
        commands = _distinct([one for study in sorted(studies) for one in sittings.read(study)] or of_cells, "command")
        rebuilt = "fgcrl report STUDY rebuilds this page from the folder; recipes/ and study.yaml hold every setting"
        told["commands"] = "; ".join(filter(None, (commands, rebuilt)))
    return told


def _distinct(of: list[dict[str, Any]], key: str) -> str:
    """The first few distinct texts."""
    texts = list(dict.fromkeys(str(one[key]) for one in of if one.get(key)))
    more = f" and {len(texts) - MOST_TEXTS} more" if len(texts) > MOST_TEXTS else ""
    return "; ".join(texts[:MOST_TEXTS]) + more
