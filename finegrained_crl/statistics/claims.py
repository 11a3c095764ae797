"""The rule by which a difference becomes a claim, and what may be said instead.

A claim needs more than an interval that leaves zero out:

1. Chance in training was repeated: three folds, or three seeds of one split, at least.
2. The training sets of K folds share most of their pictures, so their results are less independent than their number
   says. The test of a claim multiplies the variance by 1 + rho K / (1 - rho), rho the share held out (Nadeau and
   Bengio's correction, made for random splits and cautious here). The interval in the table does not: for folds that
   are independent it covers what it says.
3. p-values are adjusted (Holm) for all differences of the family: every variant compared, for the headline's one
   figure; every variant and figure, for the table of all figures. Subgroups are described and never claimed.

With a region of practical equivalence (`rope`), "better" means better by more than it, and "equivalent" that both
one-sided tests against its ends reject. Without one, nothing can be equivalent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from finegrained_crl.statistics.estimate import Estimate
from finegrained_crl.statistics.flips import holm
from finegrained_crl.statistics.uncertainty import Uncertainty

Verdict = Literal["better", "worse", "equivalent", "cannot tell"]
LEVEL = 0.05
FEWEST = 3
"""Folds, or seeds of one split. The Student quantile of a single degree of freedom, 12.7, allows no claim that anybody
would wait for, and mixed with people's it rejects 6 % of true nulls."""


class Probabilities(NamedTuple):
    """What the Bayesian correlated t-test says of a new study's expected difference; NaN where nothing was repeated.

    Attributes:
        worse: below the region of practical equivalence.
        equivalent: inside.
        better: above.
    """

    worse: float
    equivalent: float
    better: float


@dataclass(frozen=True)
class Claim:
    """What may be said of one difference.

    Attributes:
        verdict: in words; "better" whichever direction of the figure is better.
        p: two-sided, against the region's nearer end, corrected for overlap, not adjusted for the family.
        p_adjusted: the same after Holm over the family.
        probabilities: of the Bayesian correlated t-test.
        barred: why the design can't claim anything; empty where it can.
    """

    verdict: Verdict
    p: float
    p_adjusted: float
    probabilities: Probabilities
    barred: str


def judge(
    estimates: Sequence[Estimate], lower_is_better: Sequence[bool], rope: Sequence[float], held_out: float | None = None
) -> list[Claim]:
    """Verdicts on a family of differences.

    Args:
        estimates: one per difference, variant minus baseline.
        lower_is_better: of each one's figure.
        rope: half width of the region of practical equivalence of each, in the figure's unit; 0 for none.
        held_out: share of the pictures that a fold holds out; None: 1 / folds.
    Source: Nadeau and Bengio, 2003, Inference for the generalization error; Benavoli et al., 2017, Time for a change,
        JMLR 18(77) (probabilities); Schuirmann, 1987 (two one-sided tests); Holm, 1979.
    """
    corrected = [overlap_corrected(one, held_out) for one in estimates]
    table = list(zip(estimates, corrected, rope, strict=True))
    beyond = np.array([_beyond(one.value, spread, width) for one, spread, width in table])
    inside = np.array([_inside(one.value, spread, width) for one, spread, width in table])
    beyond_adjusted, inside_adjusted = _holm_of_known(beyond), _holm_of_known(inside)
    claims = []
    for i, (one, spread, width) in enumerate(table):
        barred = why_barred(one)
        improvement = -one.value if lower_is_better[i] else one.value
        verdict = "cannot tell" if barred else _verdict(improvement, beyond_adjusted[i], inside_adjusted[i])
        chances = probabilities(improvement, spread, width)
        claims.append(Claim(verdict, float(beyond[i]), float(beyond_adjusted[i]), chances, barred))
    return claims


def overlap_corrected(one: Estimate, held_out: float | None = None) -> Uncertainty:
    """The uncertainty with the variance over folds enlarged for training sets that overlap.

    >>> from finegrained_crl.statistics.uncertainty import Component
    >>> folds = Uncertainty((Component("folds", 1.0, 4),))
    >>> round(overlap_corrected(Estimate(0, -1, 1, 0.95, folds, np.zeros(5), 5, 1, 9, ())).variance, 6)
    2.25
    """
    if one.folds < 2:
        return one.uncertainty
    share = 1 / one.folds if held_out is None else held_out
    return one.uncertainty.times(1 + one.folds * share / (1 - share))


def why_barred(one: Estimate) -> str:
    """What keeps a design from any claim; empty where nothing does."""
    if one.not_in_it:
        return one.not_in_it[0]
    if one.folds == 1 and one.seeds < FEWEST:
        return f"{one.seeds} seeds of one split: a claim needs {FEWEST}"
    if 1 < one.folds < FEWEST:
        return f"{one.folds} folds: a claim needs {FEWEST}"
    if not one.uncertainty.usable:
        return "no spread between runs, or a figure that is undefined in some: nothing to test with"
    return ""


def probabilities(improvement: float, spread: Uncertainty, rope: float) -> Probabilities:
    """The posterior of the expected difference (prior flat in mean and log variance), cut at the region's ends."""
    if not spread.usable:
        return Probabilities(*[float("nan")] * 3)
    worse, better = spread.above(improvement + rope), spread.above(rope - improvement)
    return Probabilities(worse, max(0.0, 1 - worse - better), better)


def beats(first: Sequence[float], second: Sequence[float], folds: Sequence[str], *, lower_is_better: bool) -> float:
    """How often a new run of the first beats a new run of the second on the same pictures.

    All pairs of runs of a fold are compared, whatever their seeds; equal ones count half; folds count the same.

    Args:
        first: figure of each run, (runs,).
        second: of the other's, (runs,).
        folds: of each, (runs,), the same for both.
        lower_is_better: of the figure.
    Source: McGraw and Wong, 1992, A common language effect size statistic; Mann and Whitney, 1947.

    >>> beats([0.6, 0.7], [0.5, 0.65], ["0", "0"], lower_is_better=False)
    0.75
    """
    sign, names = -1 if lower_is_better else 1, np.asarray(folds)
    ours, others = sign * np.asarray(first, dtype=np.float64), sign * np.asarray(second, dtype=np.float64)
    shares = []
    for fold in dict.fromkeys(folds):
        gaps = np.subtract.outer(ours[names == fold], others[names == fold])
        shares.append(((gaps > 0) + 0.5 * (gaps == 0)).mean())
    return float(np.mean(shares))


def _beyond(value: float, spread: Uncertainty, rope: float) -> float:
    """Two-sided p of "no further from zero than the region's end"."""
    outside = abs(value) - rope
    return spread.p_value(outside) if outside > 0 else spread.p_value(0.0)


def _inside(value: float, spread: Uncertainty, rope: float) -> float:
    """p of "outside the region": the larger of the two one-sided ones."""
    margin = rope - abs(value)
    return spread.above(margin) if margin > 0 else spread.p_value(0.0)


def _holm_of_known(p_values: np.ndarray) -> np.ndarray:
    """Holm over the differences that can be tested; those that can't are no look at the data."""
    adjusted = np.full(len(p_values), np.nan)
    testable = np.isfinite(p_values)
    adjusted[testable] = holm(p_values[testable])
    return adjusted


def _verdict(improvement: float, beyond: float, inside: float) -> Verdict:
    if beyond <= LEVEL:
        return "better" if improvement > 0 else "worse"
    return "equivalent" if inside <= LEVEL else "cannot tell"
