"""Differences in pairs: same pictures, same folds, same seeds, against a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.metrics.intervals import CellTotals, holm, mean_difference_interval, sign_flip_test
from finegrained_crl.reports.parts import TITLES, Part, grouped, totals_of
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


def differences(parts: list[Part], baselines: dict[str, str], chosen: list[Figure], seed: int) -> pd.DataFrame:
    """A row per variant, choice of weights and figure: difference to its baseline, interval, p-values."""
    groups = {(g[0].which, g[0].cell.variant): g for g in grouped(parts)}
    rows = []
    for (which, variant), group in groups.items():
        pairs = _pairs(group, groups.get((which, baselines[variant]), []))
        if variant != baselines[variant] and pairs:
            rows += [
                _difference(pairs, figure, seed) for figure in chosen if totals_of(list(pairs[0]), figure) is not None
            ]
    table = pd.DataFrame(rows)
    if len(table):
        # One family per figure and choice of weights: as many looks as there are variants.
        table["p_holm"] = table.groupby(["weights", "figure"])["p"].transform(lambda p: holm(p.to_numpy()))
    return table


def _pairs(group: list[Part], others: list[Part]) -> list[Pair]:
    """Runs of two variants on the same fold with the same seed and the same pictures."""
    by_place = {(part.cell.fold, part.cell.seed): part for part in others}
    places = [(part, (part.cell.fold, part.cell.seed)) for part in group]
    return [(part, by_place[place]) for part, place in places if place in by_place]


def _difference(pairs: list[Pair], figure: Figure, seed: int) -> dict[str, Any]:
    """Value, interval and p of one estimand: the mean over pairs of runs of the figure's difference."""
    first, second = pairs[0]
    row = {
        "variant": first.cell.variant,
        "baseline": second.cell.variant,
        "weights": TITLES[first.which],
        "figure": figure.name,
    }
    per_pair = np.array([figure.value(a.scores) - figure.value(b.scores) for a, b in pairs])
    if not np.isfinite(per_pair).all():
        return {
            **row,
            "difference": np.nan,
            "low": np.nan,
            "high": np.nan,
            "p": np.nan,
            "exact_p": True,
            "pairs": len(pairs),
            "units": 0,
        }
    tables = [_cell_totals(pair, figure) for pair in pairs]
    interval = mean_difference_interval(tables, figure.statistic, seed=seed)
    blocks = _independent(pairs, per_pair)
    test = sign_flip_test(blocks, seed=seed)
    ends = {"difference": interval.value, "low": interval.low, "high": interval.high}
    return {**row, **ends, "p": test.p, "exact_p": test.exact, "pairs": len(pairs), "units": test.n}


def _cell_totals(pair: Pair, figure: Figure) -> CellTotals:
    first, second = (figure.totals(part.scores) for part in pair)
    if first is None or second is None:
        raise ValueError(f"{figure.name} can't be had of a cell")
    return CellTotals(pair[0].clusters, first, second)


def _independent(pairs: list[Pair], values: np.ndarray) -> np.ndarray:
    """What may be flipped on its own: a fold, its seeds averaged; a seed, where there is a single split.

    Seeds of one fold share its pictures and people. Where a loss suits a fold, all its seeds say so together, and
    flipping them one by one rejects far more often than it promises.
    """
    folds = [str(part.cell.fold) for part, _ in pairs]
    table = pd.DataFrame({"fold": folds, "value": values})
    return (table.groupby("fold")["value"].mean() if table["fold"].nunique() > 1 else table["value"]).to_numpy()
