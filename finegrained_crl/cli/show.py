"""Facts as tables on stdout; the JSON twin of each is printed by the commands themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

WIDE = 400
PERCENT = ("top1_accuracy", "top5_accuracy", "mean_class_accuracy", "ece")


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A table as wide as its content: pipes and files must not cut columns to 80 characters."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    console.print(table, width=min(console.width, console.measure(table).maximum), markup=False)


def facts_table(title: str, facts: dict[str, Any]) -> None:
    """Name and value, nested values spelt out."""
    print_table(title, ("fact", "value"), ((name.replace("_", " "), _spell(value)) for name, value in facts.items()))


def results_table(results: dict[str, Any]) -> None:
    """The metrics of a run: one row per part of the data and choice of weights."""
    rows, columns = [], ["weights", "part"]
    for which, parts in results["metrics"].items():
        for part, values in (parts or {}).items():
            columns = ["weights", "part", *values] if len(values) > len(columns) - 2 else columns
            rows.append([which, part, *(format_metric(k, v) for k, v in values.items())])
    print_table(results["protocol"]["text"], (c.replace("_", " ") for c in columns), rows)


def format_metric(name: str, value: float) -> str:
    """Percent for shares, three decimals for the rest."""
    if name in PERCENT:
        return f"{100 * value:.2f} %"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _spell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_spell(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "\n".join(_spell(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
