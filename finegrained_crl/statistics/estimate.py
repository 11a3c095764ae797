"""One honest interval per figure and per difference: it takes in every source of chance that the study repeated.

What varies: which *people* are held out, which *training set* a fold leaves, and the *run* (initialisation, order of
pictures, augmentation). The estimand is the mean over folds and seeds, each fold counting the same.

- Two or more folds: their means (seeds averaged) are compared. All three sources differ between folds, so the spread of
  these means holds them all, and Student's t with folds - 1 degrees of freedom covers. Seeds of one fold are no
  independent evidence: where a loss suits a fold, all its seeds say so together.
- One split, several seeds: the variance of runs (seeds - 1 degrees of freedom) and that of people (a jackknife over
  people of the mean over seeds), less what both hold, a person's taste for a run. The training set is the same in all
  runs: estimand and interval are of this split, and the report says so.
- One run: people alone, and words say so. No claim can be built on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finegrained_crl.metrics.catalogue import Scale
from finegrained_crl.metrics.totals import Array, Statistic, ratio
from finegrained_crl.statistics.runs import Run
from finegrained_crl.statistics.uncertainty import Component, Uncertainty, effective_number, jackknife_variance


@dataclass(frozen=True)
class Estimate:
    """A figure, or a difference, and how sure it is.

    Attributes:
        value: mean over folds and seeds.
        low: lower end of the interval.
        high: upper end; both NaN where nothing was repeated or nothing varied.
        level: coverage meant.
        uncertainty: what the interval was made of.
        per_run: float, (runs,).
        folds: number of folds.
        seeds: runs per fold, the fewest.
        clusters: people (or pictures) in all.
        not_in_it: sources of chance that the study did not repeat, in words; empty where all were.
    """

    value: float
    low: float
    high: float
    level: float
    uncertainty: Uncertainty
    per_run: Array
    folds: int
    seeds: int
    clusters: int
    not_in_it: tuple[str, ...]


def estimate(
    runs: Sequence[Run], statistic: Statistic = ratio, *, scale: Scale = "plain", level: float = 0.95
) -> Estimate:
    """Mean over folds and seeds with its interval.

    Args:
        runs: all of one variant, or all pairs of two; runs of a fold are its seeds.
        statistic: the figure from summed totals.
        scale: where the ends are computed; "plain" for differences.
        level: coverage wanted, in (0, 1).
    Raises:
        ValueError: no run, or a level out of range.
    """
    if not runs or not 0 < level < 1:
        raise ValueError(f"expected at least one run and a level in (0, 1), got {len(runs)} and {level}")
    values = np.array([run.value(statistic) for run in runs])
    folds = [run.fold for run in runs]
    means = fold_means(values, folds)
    uncertainty = uncertainty_of(runs, values, statistic)
    value = float(means.mean())
    low, high = interval_ends(value, uncertainty, scale, level)
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        uncertainty=uncertainty,
        per_run=values,
        folds=len(means),
        seeds=min(folds.count(fold) for fold in folds),
        clusters=len(_everybody(runs)),
        not_in_it=_not_repeated(len(means), len(runs), uncertainty),
    )


def fold_means(values: Array, folds: Sequence[str]) -> Array:
    """Seeds averaged within each fold, (folds,), in the order of first appearance."""
    names = np.asarray(folds)
    return np.array([values[names == fold].mean() for fold in dict.fromkeys(folds)])


def uncertainty_of(runs: Sequence[Run], values: Array, statistic: Statistic) -> Uncertainty:
    """Variances of the mean, by source, with their degrees of freedom."""
    if not np.isfinite(values).all():
        return Uncertainty(())
    means = fold_means(values, [run.fold for run in runs])
    if len(means) > 1:
        return Uncertainty((Component("folds", float(means.var(ddof=1)) / len(means), len(means) - 1),))
    return Uncertainty(tuple(split_components(runs, values, statistic)))


def split_components(runs: Sequence[Run], values: Array, statistic: Statistic) -> list[Component]:
    """What the runs of one split tell: chance in training, and chance in the people held out."""
    replicates = _aligned(runs, values, statistic)
    people = float(jackknife_variance(replicates.mean(axis=0)))
    df = max(1.0, effective_number(_largest_sizes(runs)) - 1)
    few_people = replicates.shape[1] < 2
    if len(runs) == 1:
        return [] if few_people else [Component("people", people, df)]
    training = Component("runs", float(values.var(ddof=1)) / len(runs), len(runs) - 1)
    if few_people:
        return [training]
    # Both hold what a person makes of one run and not of another: it is counted once, with the runs, whose few degrees
    # of freedom it then has.
    contrasts = replicates - replicates.mean(axis=0)
    interaction = float(jackknife_variance(contrasts).sum()) / (len(runs) * (len(runs) - 1))
    return [training, Component("people", max(0.0, people - interaction), df)]


def _aligned(runs: Sequence[Run], values: Array, statistic: Statistic) -> Array:
    """Values without each person, (runs, people); leaving out somebody whom a run did not see changes nothing."""
    names = _everybody(runs)
    table = np.repeat(values[:, None], len(names), axis=1)
    for row, run in zip(table, runs, strict=True):
        row[np.searchsorted(names, run.clusters)] = run.without_each(statistic)
    return table


def _everybody(runs: Sequence[Run]) -> NDArray[np.str_]:
    """All clusters, sorted; those of a fold's seeds are nearly always the same."""
    distinct: list[NDArray[np.str_]] = []
    for run in runs:
        if not any(np.array_equal(run.clusters, names) for names in distinct):
            distinct.append(run.clusters)
    return distinct[0] if len(distinct) == 1 else np.unique(np.concatenate(distinct))


def _largest_sizes(runs: Sequence[Run]) -> Array:
    return max((run.sizes for run in runs), key=len)


def interval_ends(value: float, uncertainty: Uncertainty, scale: Scale, level: float) -> tuple[float, float]:
    """Both ends of an interval; NaN where no spread was seen."""
    if not uncertainty.usable:
        return float("nan"), float("nan")
    reach = uncertainty.quantile(level) * uncertainty.error
    if scale == "share" and 0 < value < 1:
        odds, slope = np.log(value / (1 - value)), 1 / (value * (1 - value))
        low, high = (1 / (1 + np.exp(-(odds + sign * slope * reach))) for sign in (-1, 1))
        return float(low), float(high)
    if scale == "positive" and value > 0:
        return float(value * np.exp(-reach / value)), float(value * np.exp(reach / value))
    return value - reach, value + reach


def _not_repeated(folds: int, runs: int, uncertainty: Uncertainty) -> tuple[str, ...]:
    """Words for the sources that the interval does not hold."""
    if folds > 1:
        return ()
    sources = {part.source for part in uncertainty.components}
    words = []
    if runs == 1:
        words.append("one seed: chance in training is not in this interval")
    if "people" not in sources:
        words.append("one person: other people are not in this interval")
    return tuple(words)
