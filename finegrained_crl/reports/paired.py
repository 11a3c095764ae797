"""Differences in pairs: same pictures, same folds, same seeds, against a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports.parts import TITLES, Part, grouped, runs_of
from finegrained_crl.statistics.claims import beats, judge
from finegrained_crl.statistics.estimate import Estimate, estimate, fold_means
from finegrained_crl.statistics.flips import sign_flip_test
from finegrained_crl.training.recipe import Recipe

Pair = tuple[Part, Part]


def find_baselines(variants: list[str], asked: str | None = None) -> dict[str, str]:
    """What each variant is compared with.

    Args:
        variants: names of all.
        asked: the one that the user named, for all of them; None: plain cross-entropy with the same settings beside the
            loss, or "ce", or the first variant.
    Raises:
        FinegrainedError: no variant is called `asked`.

    >>> find_baselines(["ce lr=1", "crl lr=1", "ce lr=2", "crl lr=2"])["crl lr=2"]
    'ce lr=2'
    """
    if asked and asked not in variants:
        raise FinegrainedError(f"no variant '{asked}' in this study: {nearest(asked, variants)}")
    general = asked or ("ce" if "ce" in variants else variants[0])
    alike = {name: " ".join(["ce", *_settings_beside_loss(name)]) for name in variants}
    if asked:
        return dict.fromkeys(variants, asked)
    return {name: alike[name] if alike[name] in variants else general for name in variants}


def _settings_beside_loss(variant: str) -> list[str]:
    words = [word for word in variant.split(" ")[1:] if "=" in word]
    settings = Recipe().as_dict()
    return [word for word in words if word.partition("=")[0] in settings or word.startswith(("dataset.", "method."))]


class Difference(NamedTuple):
    """One variant beside its baseline in one figure."""

    variant: str
    baseline: str
    weights: str
    figure: Figure
    estimate: Estimate
    pairs: list[Pair]


def differences(
    parts: list[Part], baselines: dict[str, str], chosen: list[Figure], *, primary: str, rope: float, held_out: float
) -> pd.DataFrame:
    """A row per variant, choice of weights and figure: difference to its baseline, interval, verdict.

    Args:
        parts: all held-out parts.
        baselines: variant -> what it is compared with.
        chosen: figures.
        primary: the figure of the headline, a family of its own.
        rope: half width of the region of practical equivalence in points, for figures in percent.
        held_out: share of the pictures that a fold holds out.
    """
    compared = list(_compared(parts, baselines, chosen))
    families: dict[tuple[str, bool], list[Difference]] = {}
    for one in compared:
        families.setdefault((one.weights, one.figure.name == primary), []).append(one)
    judged: dict[int, dict[str, Any]] = {}
    for family in families.values():
        judged |= {id(one): row for one, row in zip(family, _family_rows(family, rope, held_out), strict=True)}
    return pd.DataFrame([judged[id(one)] for one in compared])


def _compared(parts: list[Part], baselines: dict[str, str], chosen: list[Figure]) -> Iterator[Difference]:
    groups = {(g[0].which, g[0].cell.variant): g for g in grouped(parts)}
    for (which, variant), group in groups.items():
        pairs = pair_up(group, groups.get((which, baselines[variant]), []))
        if variant == baselines[variant] or not pairs:
            continue
        firsts, seconds = (list(side) for side in zip(*pairs, strict=True))
        for figure in chosen:
            runs = runs_of(firsts, figure, seconds)
            if runs is not None:
                one = estimate(runs, figure.statistic)
                yield Difference(variant, baselines[variant], TITLES[which], figure, one, pairs)


def pair_up(group: list[Part], others: list[Part]) -> list[Pair]:
    """Runs of two variants on the same fold with the same seed and the same pictures."""
    by_place = {(part.cell.fold, part.cell.seed): part for part in others}
    places = [(part, (part.cell.fold, part.cell.seed)) for part in group]
    return [(part, by_place[place]) for part, place in places if place in by_place]


def _family_rows(family: list[Difference], rope: float, held_out: float) -> list[dict[str, Any]]:
    """Differences that are claimed, or not, together: one adjustment of p for all of them."""
    widths = [rope / 100 if one.figure.percent else 0.0 for one in family]
    lower = [one.figure.better == "lower" for one in family]
    claims = judge([one.estimate for one in family], lower, widths, held_out)
    rows = []
    for one, claim in zip(family, claims, strict=True):
        who = {"variant": one.variant, "baseline": one.baseline, "weights": one.weights, "figure": one.figure.name}
        ends = {"difference": one.estimate.value, "low": one.estimate.low, "high": one.estimate.high}
        said = {"verdict": claim.verdict, "p": claim.p, "p_holm": claim.p_adjusted, "family": len(family)}
        chances = {f"probability_{name}": value for name, value in claim.probabilities._asdict().items()}
        rows.append({**who, **ends, **said, "barred": claim.barred, **chances, **_flips(one), **_runs_won(one)})
    return rows


def _flips(one: Difference) -> dict[str, Any]:
    """The sign-flip test over what is independent: folds, their seeds averaged; seeds, where there is one split."""
    values = one.estimate.per_run
    if not np.isfinite(values).all():
        return {"flip_p": np.nan, "smallest_flip_p": np.nan}
    if one.estimate.folds > 1:
        values = fold_means(values, [str(first.cell.fold) for first, _ in one.pairs])
    test = sign_flip_test(values)
    return {"flip_p": test.p, "smallest_flip_p": test.smallest}


def _runs_won(one: Difference) -> dict[str, Any]:
    """How often a new run of the variant beats a new run of its baseline."""
    first, second = ([one.figure.value(part.scores) for part in side] for side in zip(*one.pairs, strict=True))
    folds = [str(part.cell.fold) for part, _ in one.pairs]
    won = beats(first, second, folds, lower_is_better=one.figure.better == "lower")
    return {"runs_won": won, "pairs": len(one.pairs), "folds": one.estimate.folds, "seeds": one.estimate.seeds}
