"""What a study could show: the smallest difference that a design finds, from how much a pilot's runs and folds vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from finegrained_crl.metrics.totals import Statistic, ratio
from finegrained_crl.statistics.claims import FEWEST, LEVEL
from finegrained_crl.statistics.estimate import fold_means, split_components
from finegrained_crl.statistics.runs import Run

DRAWS = 20_000
"""Simulated test statistics per question: the power is known to +-.6 points."""


@dataclass(frozen=True)
class Sources:
    """How much the difference between two variants varies, as variances of one pair of runs on one fold.

    Attributes:
        folds: from fold to fold, beyond runs and people: where a loss suits a training set, or its held-out part.
        runs: from run to run on one fold.
        people: by which people one fold holds out, at the number it holds out now.
    """

    folds: float
    runs: float
    people: float

    def times(self, *, folds: float = 1, runs: float = 1, people: float = 1) -> Sources:
        """Each variance multiplied."""
        return Sources(self.folds * folds, self.runs * runs, self.people * people)


class Design(NamedTuple):
    """A study's size.

    Attributes:
        folds: 1 for a single split.
        seeds: runs per fold and variant.
        comparisons: differences that p is adjusted for.
    """

    folds: int
    seeds: int
    comparisons: int = 1


def sources_of(runs: Sequence[Run], statistic: Statistic = ratio) -> Sources:
    """Variance components of a pilot: the moments of its fold means, of its runs within folds, and of its people.

    Without two seeds in any fold, chance in training can't be told from the fold's: it is in `folds` (or, on a single
    split, missing).

    Args:
        runs: pairs of runs, as in `estimate`.
        statistic: the figure.
    """
    values = np.array([run.value(statistic) for run in runs])
    names = [run.fold for run in runs]
    by_fold = [[i for i, name in enumerate(names) if name == fold] for fold in dict.fromkeys(names)]
    within = [values[places].var(ddof=1) for places in by_fold if len(places) > 1]
    training = float(np.mean(within)) if within else 0.0
    parts = [split_components([runs[i] for i in places], values[places], statistic) for places in by_fold]
    shares = [part.variance for of_fold in parts for part in of_fold if part.source == "people"]
    people = float(np.mean(shares)) if shares else 0.0
    if len(by_fold) < 2:
        return Sources(0.0, training, people)
    between = float(fold_means(values, names).var(ddof=1))
    seeds = float(np.mean([1 / len(places) for places in by_fold]))
    return Sources(max(0.0, between - people - training * seeds), training, people)


def power(difference: float, sources: Sources, design: Design) -> float:
    """How often the rule of claims finds a true difference.

    Args:
        difference: expected, in the unit of the sources' deviations.
        sources: what varies.
        design: size of the study.
    Returns:
        share of studies in which p, adjusted as Bonferroni would, is at most .05 and the sign is right. 0 for designs
        that can't claim anything.
    Source: the rule is `claims.judge`; its statistic is simulated from normal and chi-squared numbers.
    """
    if design.folds == 1:
        return _power_of_split(difference, sources, design)
    return _power_over_folds(difference, sources, design)


def smallest_difference(sources: Sources, design: Design, *, wanted: float = 0.8) -> float:
    """The true difference that a design finds with the wanted power; infinite for one that can't claim anything."""
    if max(design.folds, design.seeds if design.folds == 1 else 0) < FEWEST or design.folds == 2:
        return float("inf")
    return _where(lambda difference: power(difference, sources, design), wanted, _scale(sources, design))


def seeds_needed(
    difference: float, sources: Sources, design: Design, *, wanted: float = 0.8, most: int = 200
) -> int | None:
    """Fewest seeds per fold that find a difference; None where even `most` don't: more folds or people are needed."""
    if power(difference, sources, design._replace(seeds=most)) < wanted:
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        enough = power(difference, sources, design._replace(seeds=middle)) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _power_over_folds(difference: float, sources: Sources, design: Design) -> float:
    """Student's t over folds, its error enlarged for the overlap of training sets: noncentral t in closed form."""
    from scipy.special import nctdtr, stdtrit  # not scipy.stats: it stumbles over a torch that is blocked

    if design.folds < FEWEST:
        return 0.0
    folds = design.folds
    error = np.sqrt((sources.folds + sources.people + sources.runs / design.seeds) / folds)
    if error == 0:
        return 1.0 if difference > 0 else 0.0
    # K folds hold out 1 / K each: the overlap multiplies the squared error by 1 + K (1 / K) / (1 - 1 / K).
    widened = np.sqrt(1 + 1 / (1 - 1 / folds))
    critical = stdtrit(folds - 1, 1 - LEVEL / design.comparisons / 2) * widened
    return float(1 - nctdtr(folds - 1, difference / error, critical))


def _power_of_split(difference: float, sources: Sources, design: Design) -> float:
    from scipy.special import stdtrit

    if design.seeds < FEWEST:
        return 0.0
    random = np.random.default_rng(0)  # the same draws for every difference: power then grows with it
    df, training = design.seeds - 1, sources.runs / design.seeds
    error = np.sqrt(training + sources.people)
    values = difference + error * random.standard_normal(DRAWS)
    seen = training * random.chisquare(df, DRAWS) / df
    total = np.maximum(seen + sources.people, np.finfo(float).tiny)
    tail = 1 - LEVEL / design.comparisons / 2
    # People are many: their variance is as good as known. See `Uncertainty.quantile`.
    quantile = (seen * stdtrit(df, tail) + sources.people * stdtrit(1e6, tail)) / total
    return float(np.mean(values > quantile * np.sqrt(total)))


def _scale(sources: Sources, design: Design) -> float:
    variance = (sources.folds + sources.people + sources.runs / design.seeds) / design.folds
    return max(float(np.sqrt(variance)), 1e-12)


def _where(function: Callable[[float], float], wanted: float, start: float) -> float:
    """Where a growing function reaches a value, by doubling and halving."""
    high = start
    while function(high) < wanted:
        high *= 2
    low = 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if function(middle) >= wanted else (middle, high)
    return high


def in_folds(sources: Sources, folds: int, others: int) -> Sources:
    """What varies when the same pictures are divided into another number of folds.

    Each then holds out fewer of them, and people vary more. So does the part of the runs' chance that is drawn with the
    pictures; how large that part is nobody knows, so all of it is taken.
    """
    return sources.times(people=others / folds, runs=others / folds)


@dataclass(frozen=True)
class Plan:
    """One row of a planner's table: a design and what it can show."""

    design: Design
    people: float
    smallest: float


def plans(sources: Sources, design: Design, *, wanted: float = 0.8) -> list[Plan]:
    """The design itself, then what one thing more of each kind buys: seeds, folds, people.

    Args:
        sources: of a pilot, at the design's number of people per fold.
        design: the study as it is.
        wanted: power.
    """
    more_seeds = [design._replace(seeds=n) for n in (1, 2, 3, 5, 10, 20) if n != design.seeds]
    more_folds = [design._replace(folds=n) for n in (3, 5, 10) if design.folds > 1 and n != design.folds]
    rows = [Plan(design, 1, smallest_difference(sources, design, wanted=wanted))]
    for other in (*more_seeds, *more_folds):
        divided = in_folds(sources, design.folds, other.folds)
        rows.append(Plan(other, 1, smallest_difference(divided, other, wanted=wanted)))
    for factor in (2, 4):
        more = sources.times(people=1 / factor)
        rows.append(replace(rows[0], people=factor, smallest=smallest_difference(more, design, wanted=wanted)))
    return rows


def assumed(run: float, fold: float, taste: float, disagree: float, people: int, folds: int) -> Sources:
    """Sources without a pilot; all as shares (.01 for a point).

    Args:
        run: deviation of one run's figure by chance in training. Two are compared: their difference varies twice as
            much.
        fold: deviation of the expected difference from fold to fold.
        taste: deviation of the expected difference from person to person (picture to picture).
        disagree: pictures that one of two runs gets right and the other wrong; drawn anew by every pair of runs.
        people: clusters held out over all folds.
        folds: number of folds; a single split has no chance of folds.
    """
    per_fold = max(1.0, people / folds)
    runs = 2 * run**2 + disagree / per_fold
    return Sources(fold**2 if folds > 1 else 0.0, runs, taste**2 / per_fold)
