"""A study as the pilot of another: how much its differences vary, by source."""

from __future__ import annotations

from dataclasses import dataclass

from finegrained_crl.crossval.collect import Collected
from finegrained_crl.crossval.plan import base_name
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.catalogue import Figure, Order, figures_for, find_figure, order_of, primary_figure
from finegrained_crl.reports.nested import choose_settings
from finegrained_crl.reports.paired import find_baselines, pair_up
from finegrained_crl.reports.parts import grouped, read_parts, runs_of
from finegrained_crl.statistics.power import Design, Sources, sources_of


@dataclass(frozen=True)
class Pilot:
    """What a study tells of the next one.

    Attributes:
        variant: what is compared.
        baseline: with what.
        figure: in which figure.
        sources: how much their difference varies.
        design: the study's size, as many comparisons as it makes.
        seeds_differ: whether chance in training could be told from the folds'.
    """

    variant: str
    baseline: str
    figure: Figure
    sources: Sources
    design: Design
    seeds_differ: bool


def read_pilot(
    collected: Collected, *, variant: str | None = None, baseline: str | None = None, figure: str | None = None
) -> Pilot:
    """Variance components of one comparison of a study.

    Args:
        collected: the study.
        variant: None: the first that is compared with something.
        baseline: None: as the report chooses.
        figure: name of the catalogue; None: top-1, or exact where classes have an order.
    Raises:
        FinegrainedError: a name that the study lacks, or no pair of finished runs.
    """
    first = next(iter(collected.results.values()))
    order = order_of(first["data"])
    select = collected.study.select
    variants = list(dict.fromkeys(base_name(name, select) for name in collected.study.variants))
    baselines = find_baselines(variants, baseline)
    compared = [name for name in variants if baselines[name] != name]
    if not compared or (variant and variant not in compared):
        asked = f"no comparison of '{variant}'" if variant else "nothing is compared"
        raise FinegrainedError(f"{asked} in this study: {nearest(variant or '', compared or variants)}")
    chosen = variant or compared[0]
    measured = _figure(figure or primary_figure(**order).name, len(first["class_names"]), order)
    parts = [part for part in read_parts(collected, None) if part.which == first["headline"]]
    if select:
        parts, _ = choose_settings(parts, select, primary_figure(**order))
    groups = {group[0].cell.variant: group for group in grouped(parts)}
    pairs = pair_up(groups.get(chosen, []), groups.get(baselines[chosen], []))
    runs = runs_of([a for a, _ in pairs], measured, [b for _, b in pairs]) if pairs else None
    if not runs:
        raise FinegrainedError(
            f"no finished pair of runs of {chosen} and {baselines[chosen]}: run fgcrl crossval first"
        )
    folds = [run.fold for run in runs]
    seeds = max(folds.count(fold) for fold in folds)
    design = Design(len(set(folds)), seeds, len(compared))
    return Pilot(chosen, baselines[chosen], measured, sources_of(runs, measured.statistic), design, seeds > 1)


def _figure(name: str, classes: int, order: Order) -> Figure:
    names = [figure.name for figure in figures_for(classes, **order)]
    if name not in names:
        raise FinegrainedError(f"--figure {name}: {nearest(name, names)}")
    return find_figure(name)
