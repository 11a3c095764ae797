"""Every figure that the toolkit prints, once: results.json, the terminal, reports and plots read this table.

A figure is named as in results.json, titled as people read it, and defined by what each picture adds (`totals`) and a
function of the sums (`statistic`): see `metrics/totals.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finegrained_crl.metrics import ages, calibration, ordinal
from finegrained_crl.metrics.ages import AgeAnswers, AgeTruth, decode_ages
from finegrained_crl.metrics.decision import choose, ranking
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.metrics.totals import (
    Array,
    Statistic,
    Totals,
    by_class,
    mean_over_classes,
    ratio,
    summed,
    with_count,
)

Scale = Literal["plain", "share", "positive"]
"""Where the ends of a figure's interval are computed: as it is, in log odds (shares), or in logarithms. Near an end of
its range a figure is skewed: an interval of equal arms would reach beyond 100 % and cover too little."""


@dataclass(frozen=True)
class Scores:
    """What a classifier said of some pictures.

    Attributes:
        logits: float, (n, num_classes).
        labels: int64, (n,).
        predicted: int64, (n,), by the decoder in use.
        calibrated: float, (n, num_classes), logits over the temperature fitted on validation; None where there was no
            validation.
        ages: what was said in years, by the decoder in use; None where the classes are no years.
    """

    logits: Array
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    calibrated: Array | None = None
    ages: AgeAnswers | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes, those without a picture included."""
        return int(self.logits.shape[1])


def make_scores(
    logits: ArrayLike,
    labels: ArrayLike,
    decoder: Decoder | None = None,
    calibrated: Array | None = None,
    ages: AgeTruth | None = None,
) -> Scores:
    """Scores with the decision made.

    Args:
        logits: float, (n, num_classes).
        labels: int, (n,).
        decoder: how a class is chosen where classes have an order; None: the highest score.
        calibrated: logits over a temperature.
        ages: the true ages, where classes are years.
    """
    table, how = np.asarray(logits, dtype=np.float64), decoder or "argmax"
    said = AgeAnswers(ages, decode_ages(calibration.softmax(table), ages.scale, how)) if ages else None
    return Scores(table, np.asarray(labels, dtype=np.int64), choose(table, how), calibrated, said)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: in results.json and CSV files.
        title: for people.
        percent: whether it is a share, shown in percent.
        better: which direction is better.
        ordered: True: only for classes that have an order; False: for all classes.
        years: True: only for classes that are years, where figures in classes (`ordered`) say less.
        totals: per picture, (n, m); None where it can't be had.
        statistic: figure from summed totals.
        min_classes: fewest classes for which it says anything.
        scale: where the ends of its interval are computed: log odds for shares, logarithms for what is positive.
        unit: of a figure that is no share.
    """

    name: str
    title: str
    percent: bool
    better: Literal["higher", "lower"]
    ordered: bool
    totals: Callable[[Scores], Totals | None]
    statistic: Statistic
    min_classes: int = 2
    scale: Scale = "share"
    unit: str = ""
    years: bool = False

    def value(self, scores: Scores) -> float:
        """The figure of some pictures, NaN where it can't be had."""
        totals = self.totals(scores)
        return float("nan") if totals is None else float(self.statistic(summed(totals))[0])

    def show(self, value: float, *, signed: bool = False) -> str:
        """The figure as people read it; "-" where there is none.

        Args:
            value: in the figure's own unit.
            signed: with a plus sign, for differences.
        """
        if np.isnan(value):
            return "-"
        sign = "+" if signed else ""
        return f"{100 * value:{sign}.2f}" if self.percent else f"{value:{sign}.3f}"


def _hits(predicted: NDArray[np.int64], scores: Scores) -> Array:
    return np.asarray(predicted == scores.labels, dtype=np.float64)


def _top1(scores: Scores) -> Totals:
    return with_count(_hits(choose(scores.logits), scores))


def _top5(scores: Scores) -> Totals:
    return with_count((ranking(scores.logits)[:, :5] == scores.labels[:, None]).any(axis=1))


def _class_hits(scores: Scores) -> Totals:
    return by_class(_hits(choose(scores.logits), scores), scores.labels, scores.num_classes)


def _exact(scores: Scores) -> Totals:
    return with_count(_hits(scores.predicted, scores))


def _within(groups: int) -> Callable[[Scores], Totals]:
    return lambda scores: with_count(ordinal.distance(scores.predicted, scores.labels) <= groups)


def _distance(scores: Scores) -> Totals:
    return with_count(ordinal.distance(scores.predicted, scores.labels))


def _class_distance(scores: Scores) -> Totals:
    return by_class(ordinal.distance(scores.predicted, scores.labels), scores.labels, scores.num_classes)


def _nll(scores: Scores) -> Totals:
    return with_count(calibration.nll_terms(scores.logits, scores.labels))


def _brier(scores: Scores) -> Totals:
    return with_count(calibration.brier_terms(calibration.softmax(scores.logits), scores.labels))


def _calibration(scores: Scores) -> Totals:
    return calibration.ece_terms(calibration.softmax(scores.logits), scores.labels)


def _calibration_after(scores: Scores) -> Totals | None:
    if scores.calibrated is None:
        return None
    return calibration.ece_terms(calibration.softmax(scores.calibrated), scores.labels)


def _age_figure(
    name: str, title: str, terms: Callable[[AgeAnswers], Totals | None], unit: str = "", *, lower: bool = False
) -> Figure:
    """A figure of ages; in years where it has a unit, else a share."""

    def totals(scores: Scores) -> Totals | None:
        return None if scores.ages is None else terms(scores.ages)

    how: tuple[bool, Literal["higher", "lower"]] = (not unit, "lower" if lower else "higher")
    return Figure(name, title, *how, False, totals, ratio, scale="positive" if unit else "share", unit=unit, years=True)


def _years_off(years: int) -> Figure:
    name, title = f"cumulative_score_{years}_years", f"CS@{years} years %"
    return _age_figure(name, title, lambda answers: ages.within_terms(answers, years))


def _kappa(scores: Scores) -> Totals:
    return ordinal.moments(scores.predicted, scores.labels)


FIGURES = (
    Figure("top1_accuracy", "top-1 %", True, "higher", False, _top1, ratio),
    Figure("top5_accuracy", "top-5 %", True, "higher", False, _top5, ratio, min_classes=6),
    Figure("mean_class_accuracy", "mean class %", True, "higher", False, _class_hits, mean_over_classes),
    Figure("nll", "NLL", False, "lower", False, _nll, ratio, scale="positive", unit="nats"),
    Figure("brier", "Brier", False, "lower", False, _brier, ratio, scale="positive"),
    Figure("ece", "ECE %", True, "lower", False, _calibration, calibration.ece_of_terms),
    Figure(
        "ece_calibrated",
        "ECE % after T",
        True,
        "lower",
        False,
        _calibration_after,
        calibration.ece_of_terms,
    ),
    Figure("exact_accuracy", "exact %", True, "higher", True, _exact, ratio),
    Figure("one_off_accuracy", "one-off %", True, "higher", True, _within(1), ratio),
    Figure("cumulative_score_2", "CS@2 %", True, "higher", True, _within(2), ratio),
    Figure("mae_in_groups", "MAE (groups)", False, "lower", True, _distance, ratio, scale="positive", unit="groups"),
    Figure(
        "macro_mae_in_groups",
        "macro MAE",
        False,
        "lower",
        True,
        _class_distance,
        mean_over_classes,
        scale="positive",
        unit="groups",
    ),
    Figure("quadratic_weighted_kappa", "QWK", False, "higher", True, _kappa, ordinal.kappa_of_moments, scale="plain"),
    _age_figure("mae_years", "MAE (years)", ages.error_terms, "years", lower=True),
    _years_off(3),
    _years_off(5),
    _years_off(10),
    _age_figure("epsilon_error", "epsilon error %", ages.epsilon_terms, lower=True),
    _age_figure("age_group_accuracy", "age group %", lambda answers: ages.group_terms(answers, 0)),
    _age_figure("age_group_one_off_accuracy", "age group one-off %", lambda answers: ages.group_terms(answers, 1)),
)
"""All figures, in the order in which they are written."""


class Order(TypedDict):
    """What is known of a data set's classes beside their names: keywords of the functions below."""

    ordered: bool
    years: bool


def order_of(data: Mapping[str, Any]) -> Order:
    """The order of a run's classes, from what results.json says of its `data`."""
    return Order(ordered=bool(data.get("ordered")), years=bool(data.get("ages")))


def figures_for(num_classes: int, *, ordered: bool, years: bool = False) -> list[Figure]:
    """The figures that say something of a data set.

    >>> [figure.name for figure in figures_for(3, ordered=False)][:2]
    ['top1_accuracy', 'mean_class_accuracy']
    """
    shown = [figure for figure in FIGURES if num_classes >= figure.min_classes]
    if years:
        return [figure for figure in shown if not figure.ordered]
    return [figure for figure in shown if not figure.years and (ordered or not figure.ordered)]


def find_figure(name: str) -> Figure:
    """The figure of that name.

    Raises:
        KeyError: there is none.
    """
    return {figure.name: figure for figure in FIGURES}[name]


def primary_figure(*, ordered: bool, years: bool = False) -> Figure:
    """The figure that a headline is about: the error in years where classes are years, exact where they have an order
    (both by the decoder in use), else top-1.
    """
    if years:
        return find_figure("mae_years")
    return find_figure("exact_accuracy" if ordered else "top1_accuracy")


def all_figures(scores: Scores, *, ordered: bool, years: bool = False) -> dict[str, float | int | None]:
    """Everything that results.json says of one part of the data.

    Args:
        scores: of the part's pictures.
        ordered: whether the classes have an order.
        years: whether the classes are years.
    Returns:
        num_images, then every figure by name as a plain number; None where it is undefined (kappa of a single group).
        Figures that need what `scores` lacks (a temperature, the annotators' spread) are left out.
    """
    values: dict[str, float | int | None] = {"num_images": len(scores.labels)}
    for figure in figures_for(scores.num_classes, ordered=ordered, years=years):
        totals = figure.totals(scores)
        if totals is not None:
            value = float(figure.statistic(summed(totals))[0])
            values[figure.name] = None if np.isnan(value) else value
    return values
