"""Differences in pairs: same pictures, same folds, same seeds, against a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.intervals import holm, paired_interval, sign_flip_test
from finegrained_crl.reports.parts import TITLES, Part, grouped, totals_of
from finegrained_crl.reports.quantities import Quantity
from finegrained_crl.training.recipe import Recipe


def find_baselines(variants: list[str], asked: str | None = None) -> dict[str, str]:
    """What each variant is compared with.

    Args:
        variants: names of all.
        asked: the one that the user named, for all of them; None: plain cross-entropy with the same settings beside the loss, or
            "ce", or the first variant.
    Raises:
        FinegrainedError: no variant is called `asked`.

    >>> find_baselines(["ce lr=1", "crl loss.alpha=2 lr=1", "ce lr=2", "crl loss.alpha=2 lr=2"])["crl loss.alpha=2 lr=2"]
    'ce lr=2'
    """
    if asked and asked not in variants:
        raise FinegrainedError(f"no variant '{asked}' in this study: {nearest(asked, variants)}")
    general = asked or ("ce" if "ce" in variants else variants[0])
    alike = {name: " ".join(["ce", *_settings_beside_loss(name)]) for name in variants}
    return {name: general if asked or alike[name] not in variants else alike[name] for name in variants}


def _settings_beside_loss(variant: str) -> list[str]:
    words = [word for word in variant.split(" ")[1:] if "=" in word]
    known = Recipe().as_dict()
    return [word for word in words if word.partition("=")[0] in known or word.startswith(("dataset.", "method."))]


def differences(parts: list[Part], baselines: dict[str, str], quantities: list[Quantity], seed: int) -> pd.DataFrame:
    """A row per variant, choice of weights and quantity: difference to its baseline, interval, p-values."""
    groups = {(g[0].which, g[0].cell.variant): g for g in grouped(parts)}
    rows = []
    for (which, variant), group in groups.items():
        pairs = _pairs(group, groups.get((which, baselines[variant]), []))
        if variant != baselines[variant] and pairs:
            rows += [_difference(pairs, q, seed) for q in quantities if totals_of(list(pairs[0]), q) is not None]
    table = pd.DataFrame(rows)
    if len(table):
        # One family per quantity and choice of weights: as many looks as there are variants.
        table["p_holm"] = table.groupby(["weights", "quantity"])["p"].transform(lambda p: holm(p.to_numpy()))
    return table


def _pairs(group: list[Part], others: list[Part]) -> list[tuple[Part, Part]]:
    """Runs of two variants on the same fold with the same seed and the same pictures."""
    known = {(part.cell.fold, part.cell.seed): part for part in others}
    found = [(part, known[part.cell.fold, part.cell.seed]) for part in group if (part.cell.fold, part.cell.seed) in known]
    return [(mine, other) for mine, other in found if mine.frame["id"].equals(other.frame["id"])]


def _difference(pairs: list[tuple[Part, Part]], q: Quantity, seed: int) -> dict[str, Any]:
    mine, others = [part for part, _ in pairs], [other for _, other in pairs]
    one, other = totals_of(mine, q), totals_of(others, q)
    per_cell = np.array([q.value(a.scores) - q.value(b.scores) for a, b in pairs])
    row = {"variant": mine[0].cell.variant, "baseline": others[0].cell.variant, "weights": TITLES[mine[0].which], "quantity": q.name}
    if one is None or other is None or not np.isfinite(per_cell).all():
        return {**row, "difference": np.nan, "low": np.nan, "high": np.nan, "p": np.nan, "exact_p": True, "pairs": len(pairs)}
    interval, test = paired_interval(one, other, q.statistic, seed=seed), sign_flip_test(per_cell, seed=seed)
    figures = {"difference": interval.value, "low": interval.low, "high": interval.high, "mean_over_cells": per_cell.mean()}
    return {**row, **figures, "p": test.p, "exact_p": test.exact, "pairs": test.n}
