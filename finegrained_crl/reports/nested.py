"""Nested selection: each variant's settings are chosen on the validation part of its own fold; the choice is compared.

Settings that were chosen by their figures on the test folds make every later number too good. Here all variants get the
same budget (the whole grid), and each fold chooses without its test part: the mean over seeds of the validation figure
decides, the first of equals. The chosen runs stand for the variant.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.crossval.plan import base_name
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports.parts import TITLES, Part

Group = list[Part]


def choose_settings(parts: list[Part], select: tuple[str, ...], figure: Figure) -> tuple[list[Part], pd.DataFrame]:
    """Keep, per variant and fold, the runs of the setting that is best on validation.

    Args:
        parts: all held-out parts of a study.
        select: settings of its grid that are chosen.
        figure: by which.
    Returns:
        the chosen parts under their variant's name without these settings, and a row per choice: variant, weights,
        fold, setting, validation, test, grid_test (mean over the grid: what a blind choice would have given), tried,
        edge (chosen values with nothing tried beyond them).
    Raises:
        FinegrainedError: a cell without a validation part.
    """
    kept: list[Part] = []
    rows = []
    for candidates in _candidates(parts, select).values():
        best = max(candidates.values(), key=lambda group: _rank(group, figure))
        base = base_name(best[0].cell.variant, select)
        kept += [replace(part, cell=replace(part.cell, variant=base)) for part in best]
        rows.append(_row(base, best, candidates, figure))
    return kept, pd.DataFrame(rows)


def _candidates(parts: list[Part], select: tuple[str, ...]) -> dict[Any, dict[str, Group]]:
    """(weights, variant without the settings, fold) -> setting -> its seeds."""
    table: dict[Any, dict[str, Group]] = {}
    for part in parts:
        if part.validation is None:
            raise FinegrainedError(
                f"{part.cell.name} has no validation part to choose {', '.join(select)} on: run the study with"
                " --val-fraction"
            )
        place = (part.which, base_name(part.cell.variant, select), part.cell.fold)
        table.setdefault(place, {}).setdefault(part.cell.variant, []).append(part)
    return {place: dict(_complete(settings)) for place, settings in table.items()}


def _complete(settings: dict[str, Group]) -> Iterator[tuple[str, Group]]:
    """Settings with as many seeds as any: a setting with half of its runs may look best by chance."""
    most = max(map(len, settings.values()))
    return ((name, group) for name, group in settings.items() if len(group) == most)


def _rank(group: Group, figure: Figure) -> float:
    value = _mean([part.validation for part in group], figure)
    return -value if figure.better == "lower" else value


def _mean(scores: list[Any], figure: Figure) -> float:
    return float(np.mean([figure.value(one) for one in scores]))


def _row(base: str, best: Group, candidates: dict[str, Group], figure: Figure) -> dict[str, Any]:
    words = set(base.split(" "))
    setting = " ".join(word for word in best[0].cell.variant.split(" ") if word not in words)
    tests = {name: _mean([part.scores for part in group], figure) for name, group in candidates.items()}
    return {
        "variant": base,
        "weights": TITLES[best[0].which],
        "fold": best[0].cell.fold,
        "setting": setting,
        "validation": _mean([part.validation for part in best], figure),
        "test": tests[best[0].cell.variant],
        "grid_test": float(np.mean(list(tests.values()))),
        "tried": len(candidates),
        "edge": ", ".join(_at_the_edge(setting, list(candidates))),
    }


def _at_the_edge(chosen: str, variants: list[str]) -> Iterator[str]:
    """Words such as "lr largest": of a setting with three values or more, where a wider grid may hold a better one."""
    for name, value in _numbers(chosen).items():
        tried = sorted({numbers[name] for variant in variants if name in (numbers := _numbers(variant))})
        if len(tried) > 2 and value in (tried[0], tried[-1]):
            yield f"{name} {'smallest' if value == tried[0] else 'largest'}"


def _numbers(variant: str) -> dict[str, float]:
    """Settings of a variant's name, "ce lr=0.1 ..", that are numbers."""
    numbers = {}
    for name, _, value in (word.partition("=") for word in variant.split(" ")):
        with contextlib.suppress(ValueError):
            numbers[name] = float(value)
    return numbers
