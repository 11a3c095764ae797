"""The tables of a study's report, in the order in which they are read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports.ledger import ledger_sheet
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.study import StudyFigures
from finegrained_crl.reports.tables import Sheet

ORDERED_MAIN = (
    "exact_accuracy",
    "one_off_accuracy",
    "mae_in_groups",
    "quadratic_weighted_kappa",
    "ece",
    "ece_calibrated",
)
ORDERED_MORE = ("cumulative_score_2", "macro_mae_in_groups", "nll", "brier")
ORDERED_PAIRED = ("exact_accuracy", "one_off_accuracy", "mae_in_groups", "quadratic_weighted_kappa", "nll", "ece")
YEARS_MAIN = ("mae_years", *(f"cumulative_score_{k}_years" for k in (3, 5, 10)), "epsilon_error")
YEARS_MORE = ("age_group_accuracy", "age_group_one_off_accuracy", "nll", "ece", "ece_calibrated")
YEARS_PAIRED = ("mae_years", "cumulative_score_5_years", "age_group_accuracy", "nll")
PLAIN_MAIN = ("top1_accuracy", "mean_class_accuracy", "nll", "ece", "ece_calibrated")
PLAIN_MORE = ("top5_accuracy", "brier")
PLAIN_PAIRED = ("top1_accuracy", "mean_class_accuracy", "nll", "brier", "ece")
NOT_A_RESULT = "best epoch chosen on the test part: an upper bound, not a result"
MOST_GROUPS = 20
"""A table with a column per class stops being one; `tables/groups.csv` has them all."""


def make_sheets(figures: StudyFigures, dataset: str, protocol: str) -> list[Sheet]:
    """All tables.

    Args:
        figures: of the study.
        dataset: name of the data set, for its published figures.
        protocol: what the study was measured on, in words.
    """
    sheets: list[Sheet] = []
    for weights in dict.fromkeys(figures.variants["weights"]):
        sheets += _sheets_of(figures, weights)
    if len(figures.oracle):
        sheets.append(_oracle_sheet(figures))
    published = read_published(dataset)
    if published:
        sheets.insert(2, _published_sheet(published, protocol))
    if figures.departures:
        sheets = [_as_it_ran(sheet, figures.departures) for sheet in sheets]
    return [*sheets, *([ledger_sheet(figures.ledger)] if figures.ledger else [])]


def _as_it_ran(sheet: Sheet, departures: tuple[str, ...]) -> Sheet:
    """The table with what was not as printed said below it."""
    return replace(sheet, text=f"{sheet.text} Not as printed: {'; '.join(departures)}.".strip())


def read_published(dataset: str) -> list[dict[str, str]]:
    """Published figures of a data set, from `reports/published/NAME.csv`; none where there is no such file."""
    path = resources.files("finegrained_crl.reports") / "published" / f"{dataset}.csv"
    if not path.is_file():
        return []
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _sheets_of(figures: StudyFigures, weights: str) -> Iterator[Sheet]:
    tag = weights.replace(" ", "-")
    table = figures.variants[figures.variants["weights"] == weights]
    main, more, _ = _names(figures)
    yield _spread_sheet(f"losses-{tag}", f"Losses, {weights} weights", table, _chosen(figures, main))
    yield _interval_sheet(f"intervals-{tag}", f"Means with intervals, {weights} weights", table, _chosen(figures, main))
    yield _spread_sheet(f"more-{tag}", f"More figures, {weights} weights", table, _chosen(figures, more))
    if len(figures.differences) and (figures.differences["weights"] == weights).any():
        yield _difference_sheet(tag, weights, figures)
    if len(figures.choices):
        yield _choice_sheet(tag, weights, figures)
    if figures.ordered and figures.groups["label"].nunique() <= MOST_GROUPS:
        yield _group_sheet(tag, weights, figures)
    yield from _subgroup_sheets(tag, weights, figures, _chosen(figures, main))


def _names(figures: StudyFigures) -> tuple[tuple[str, ...], ...]:
    """Figures of the first table, of the second, and of the differences."""
    if figures.primary.years:
        return YEARS_MAIN, YEARS_MORE, YEARS_PAIRED
    if figures.ordered:
        return ORDERED_MAIN, ORDERED_MORE, ORDERED_PAIRED
    return PLAIN_MAIN, PLAIN_MORE, PLAIN_PAIRED


def _chosen(figures: StudyFigures, names: tuple[str, ...]) -> list[Figure]:
    by_name = {figure.name: figure for figure in figures.figures}
    return [by_name[name] for name in names if name in by_name]


def _rows_of(table: pd.DataFrame, variant: str) -> dict[str, Any]:
    """Figure name -> its row of a tidy table."""
    rows = table[table["variant"] == variant]
    return {row["figure"]: row for _, row in rows.iterrows()}


def _spread_sheet(name: str, title: str, table: pd.DataFrame, chosen: list[Figure]) -> Sheet:
    rows, means = [], []
    for variant in dict.fromkeys(table["variant"]):
        by_figure = _rows_of(table, variant)
        shown = [_with_deviation(figure, by_figure.get(figure.name)) for figure in chosen]
        rows.append([variant_title(variant), *shown])
        means.append([by_figure[f.name]["mean"] if f.name in by_figure else np.nan for f in chosen])
    first = table.iloc[0]
    averaged = ", seeds averaged within a fold" if first["over"] == "folds" else ""
    text = (
        f"Mean ± sample standard deviation (ddof = 1) over {first['n']} {first['over']}{averaged}; {first['images']}"
        " held-out pictures. Bold: the best mean, which may be chance."
    )
    return Sheet(name, title, ["variant", *(f.title for f in chosen)], rows, text, _best(np.array(means), chosen))


def _best(values: np.ndarray, chosen: list[Figure]) -> frozenset[tuple[int, int]]:
    """Places of each column's best figure, in the table with its column of names; none where there is nothing to
    compare.
    """
    places = set()
    for column, figure in enumerate(chosen):
        numbers = values[:, column] if figure.better == "higher" else -values[:, column]
        if len(values) > 1 and not np.isnan(numbers).any():
            places |= {(int(row), column + 1) for row in np.flatnonzero(numbers == numbers.max())}
    return frozenset(places)


def _with_deviation(figure: Figure, row: Any) -> str:
    if row is None:
        return "-"
    if np.isnan(row["deviation"]):
        return figure.show(row["mean"])
    return f"{figure.show(row['mean'])} ± {figure.show(row['deviation'])}"


def _with_interval(figure: Figure, row: Any) -> str:
    if row is None:
        return "-"
    if np.isnan(row["low"]):
        return f"{figure.show(row['mean'])} [-]"
    return f"{figure.show(row['mean'])} [{figure.show(row['low'])}, {figure.show(row['high'])}]"


def _interval_sheet(name: str, title: str, table: pd.DataFrame, chosen: list[Figure]) -> Sheet:
    rows = []
    for variant in dict.fromkeys(table["variant"]):
        by_figure = _rows_of(table, variant)
        shown = [_with_interval(figure, by_figure.get(figure.name)) for figure in chosen]
        rows.append([variant_title(variant), *shown])
    text = f"In brackets: 95 % interval of the mean. {_holds(table)}"
    return Sheet(name, title, ["variant", *(f.title for f in chosen)], rows, text)


def _holds(table: pd.DataFrame) -> str:
    """What the intervals of a table of variants hold, and what not."""
    first, missing = table.iloc[0], [words for words in dict.fromkeys(table["not_in_it"]) if words]
    people = f"{first['clusters']} clusters (people, or pictures where no person is known)"
    if missing:
        return f"It speaks of other {people}. {'; '.join(missing).capitalize()}."
    if first["over"] == "folds":
        sources = f"people, training sets and runs: {first['n']} folds"
        return f"It holds chance in {sources}, {people}; [-]: no two folds differ."
    return f"It holds chance in people and runs: {first['n']} runs, {people}; another split is not in it."


def _difference_sheet(tag: str, weights: str, figures: StudyFigures) -> Sheet:
    table = figures.differences[figures.differences["weights"] == weights]
    names = _names(figures)[2]
    rows = [
        _difference_row(figure, row)
        for figure in _chosen(figures, names)
        for _, row in table[table["figure"] == figure.name].iterrows()
    ]
    baselines = ", ".join(map(variant_title, dict.fromkeys(table["baseline"])))
    columns = ["difference", "figure", "value", "95 % interval", "verdict", "p", "p (Holm)", "flip p", "runs won %"]
    text = _difference_text(table, figures)
    return Sheet(f"differences-{tag}", f"Differences from {baselines}, {weights} weights", columns, rows, text)


def _difference_text(table: pd.DataFrame, figures: StudyFigures) -> str:
    """What each column of the differences means, and which families p was adjusted for."""
    primary = table["figure"] == figures.primary.name
    looks, more = (int(table.loc[rows, "family"].max()) if rows.any() else 0 for rows in (primary, ~primary))
    smallest = table["smallest_flip_p"].min()
    region = f" by more than {figures.rope:g} points (figures in percent)" if figures.rope else ""
    pairs = " / ".join(map(str, dict.fromkeys(table["pairs"])))
    return (
        f"Paired: same pictures, folds and seeds, {pairs} pairs of runs; value and interval are of the mean over them"
        f" and hold what the intervals above hold. Verdict: better or worse{region} at Holm's p <= .05. p: Student's t,"
        " corrected for the overlap of training sets and so stricter than the interval. Holm: adjusted for"
        f" {looks} comparisons in {figures.primary.title.removesuffix(' %')}, for {more} in the other figures together."
        f" Flip p: exact sign-flip test of whole folds (seeds of one split); here it can't be below {smallest:.3g}."
        " Runs won: how often a new run beats a new run of the baseline."
    )


def _difference_row(figure: Figure, row: Any) -> list[str]:
    who = f"{variant_title(row['variant'])} - {variant_title(row['baseline'])}"
    if np.isnan(row["difference"]):
        return [who, figure.title, *["-"] * 7]
    value = figure.show(row["difference"], signed=True)
    ends = "-"
    if not np.isnan(row["low"]):
        ends = f"[{figure.show(row['low'], signed=True)}, {figure.show(row['high'], signed=True)}]"
    tests = [_p(row[name]) for name in ("p", "p_holm", "flip_p")]
    return [who, figure.title, value, ends, row["verdict"], *tests, f"{100 * row['runs_won']:.0f}"]


def _choice_sheet(tag: str, weights: str, figures: StudyFigures) -> Sheet:
    table, show = figures.choices[figures.choices["weights"] == weights], figures.primary.show
    rows = []
    for _, row in table.iterrows():
        fold = "-" if pd.isna(row["fold"]) else str(row["fold"])
        numbers = [show(row[name]) for name in ("validation", "test", "grid_test")]
        rows.append(
            [variant_title(row["variant"]), fold, row["setting"], *numbers, str(row["tried"]), row["edge"] or "-"]
        )
    columns = ["variant", "fold", "chosen", "validation", "test", "test, mean of grid", "tried", "edge of the grid"]
    text = (
        f"{figures.primary.title}, seeds averaged. Chosen on the validation part of each fold; all other tables hold"
        " the chosen runs alone. What tuning bought is test less the mean of the grid. Edge of the grid: the chosen"
        " value is the smallest or largest of three or more, and a wider grid may hold a better one."
    )
    return Sheet(f"choices-{tag}", f"Settings chosen on validation, {weights} weights", columns, rows, text)


def _p(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"


def _group_sheet(tag: str, weights: str, figures: StudyFigures) -> Sheet:
    table = figures.groups[figures.groups["weights"] == weights]
    by_label = table.drop_duplicates("label").sort_values("label")
    rows = [["(images)", *map(str, by_label["images"])]]
    for variant, of_variant in table.groupby("variant", sort=False):
        shown = [
            "-" if np.isnan(recall) else f"{100 * recall:.1f}" for recall in of_variant.sort_values("label")["recall"]
        ]
        rows.append([variant_title(str(variant)), *shown])
    return Sheet(f"recall-{tag}", f"Recall per group in %, {weights} weights", ["variant", *by_label["group"]], rows)


def _subgroup_sheets(tag: str, weights: str, figures: StudyFigures, chosen: list[Figure]) -> Iterator[Sheet]:
    if not len(figures.subgroups):
        return
    table = figures.subgroups[figures.subgroups["weights"] == weights]
    for column, of_column in table.groupby("column", sort=False):
        by_value = of_column.sort_values("value", key=_first_seen, kind="stable")
        rows = []
        for _, row in by_value.iterrows():
            shown = [figure.show(row[figure.name]) for figure in chosen]
            rows.append([f"{row['value']}: {variant_title(row['variant'])}", str(row["images"]), *shown])
        title = f"By {str(column).replace('_', ' ')}, {weights} weights"
        columns = [str(column), "images", *(figure.title for figure in chosen)]
        yield Sheet(f"{column}-{tag}", title, columns, rows)


def _first_seen(values: pd.Series) -> pd.Series:
    order = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return values.map(order)


def _oracle_sheet(figures: StudyFigures) -> Sheet:
    rows = []
    for _, row in figures.oracle.iterrows():
        deviation = "" if np.isnan(row["deviation"]) else f" ± {100 * row['deviation']:.2f}"
        rows.append([variant_title(row["variant"]), f"{100 * row['mean']:.2f}{deviation}", str(row["n"])])
    return Sheet(
        "oracle-on-test",
        "Oracle on test (not a result)",
        ["variant", "top-1 %", "n"],
        rows,
        f"{NOT_A_RESULT.capitalize()}.",
    )


def _published_sheet(published: list[dict[str, str]], protocol: str) -> Sheet:
    columns = ["published method", "exact %", "one-off %", "label policy", "extra data", "protocol", "source"]
    rows = [
        [row[c] or "-" for c in ("method", "exact", "one_off", "policy", "extra_data", "protocol", "source")]
        for row in published
    ]
    warning = (
        f"This study is on {protocol}: nothing in it can be compared with these rows. "
        if "generated" in protocol
        else ""
    )
    text = (
        warning
        + "Compare only rows of the same label policy, extra data and protocol; none of these states a spread or an"
        " interval."
    )
    return Sheet("published", "Published figures", columns, rows, text)
