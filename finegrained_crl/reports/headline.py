"""The sentence that a study comes down to. Its words follow the verdict, also when that is "cannot tell"."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports.names import variant_title

MOST = 4
"""Comparisons that are told one by one; of more, the numbers of each verdict."""


def headline(differences: pd.DataFrame, primary: Figure, weights: str, rope: float) -> list[str]:
    """What may be said of the primary figure.

    Args:
        differences: of the study, see `StudyFigures`.
        primary: the figure.
        weights: the choice of weights that the recipe makes its result.
        rope: half width of the region of practical equivalence, in points; 0 for none.
    Returns:
        one sentence per comparison; one that counts, where there are many. None where nothing was compared.
    """
    if not len(differences):
        return []
    chosen = differences[(differences["figure"] == primary.name) & (differences["weights"] == weights)]
    rows = [row for _, row in chosen.iterrows()]
    if len(rows) <= MOST:
        return [_sentence(row, primary, rope) for row in rows]
    counted = chosen["verdict"].value_counts()
    shares = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
    told = [_sentence(row, primary, rope) for row in rows if row["verdict"] != "cannot tell"]
    return [f"{len(rows)} comparisons in {primary.title}: {shares} (p adjusted for {len(rows)}).", *told[:MOST]]


def _sentence(row: Any, primary: Figure, rope: float) -> str:
    who, other = variant_title(row["variant"]), variant_title(row["baseline"])
    unit = "points" if primary.percent else primary.unit
    what = primary.title.removesuffix(" %")
    return f"{_said(row, who, other, what, rope)}: {_numbers(row, primary, unit, rope)}."


def _said(row: Any, who: str, other: str, what: str, rope: float) -> str:
    by = f" by more than {rope:g} points" if rope else ""
    match row["verdict"]:
        case "better":
            return f"{who} is better than {other} in {what}{by}"
        case "worse":
            return f"{who} is worse than {other} in {what}{by}"
        case "equivalent":
            return f"{who} and {other} are equivalent in {what}: less than {rope:g} points apart"
    why = f" ({row['barred']})" if row["barred"] else ""
    if rope:
        apart = f"{who} and {other} are more or less than {rope:g} points apart in {what}"
        return f"This study cannot tell whether {apart}{why}"
    return f"This study cannot tell whether {who} or {other} is better in {what}{why}"


def _numbers(row: Any, primary: Figure, unit: str, rope: float) -> str:
    value = f"{primary.show(row['difference'], signed=True)} {unit}"
    if pd.isna(row["low"]):
        return value
    low, high = (primary.show(row[end], signed=True) for end in ("low", "high"))
    numbers = f"{value}, 95 % interval {low} to {high}"
    # The p of a difference says nothing for equivalence; with a region it is that of a difference beyond it.
    if pd.notna(row["p_holm"]) and row["verdict"] != "equivalent":
        beyond = f" for more than {rope:g} points" if rope else ""
        numbers += f", p = {row['p_holm']:.3f}{beyond}"
    won = f"a new run of {variant_title(row['variant'])} beats a new run of {variant_title(row['baseline'])}"
    return f"{numbers}; {won} in {100 * row['runs_won']:.0f} % of cases"
