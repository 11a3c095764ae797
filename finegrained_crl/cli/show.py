"""Facts as tables on stdout; the JSON twin of each is printed by the commands themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finegrained_crl import escaping
from finegrained_crl.metrics.catalogue import FIGURES, Figure

WIDE = 400
MOST_CLASSES = 12
"""Classes that a table of facts lists one by one; `--json` lists all."""
WEIGHTS = {"last": "last weights", "selected_on_validation": "weights selected on validation"}


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A table as wide as its content: pipes and files must not cut columns to 80 characters."""
    table = Table(title=Text(escaping.plain(title)), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(_cell(column), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    console.print(table, width=min(console.width, console.measure(table).maximum))


def _cell(value: Any) -> Text:
    """Text as it is: what it holds is neither markup nor a command to the terminal; its own line breaks stay."""
    return Text("\n".join(map(escaping.plain, str(value).split("\n"))))


def facts_table(title: str, facts: dict[str, Any]) -> None:
    """Name and value, nested values spelt out."""
    print_table(title, ("fact", "value"), ((name.replace("_", " "), _spell(value)) for name, value in facts.items()))


def results_table(results: dict[str, Any]) -> None:
    """The metrics of a run: a row per figure, a column per part of the data and choice of weights."""
    metrics: dict[str, dict[str, Any]] = {}
    for which, parts in results["metrics"].items():
        for part, values in (parts or {}).items():
            metrics[f"{part}, {WEIGHTS[which]}"] = values
    rows = [["images", *(str(values["num_images"]) for values in metrics.values())]]
    for figure in FIGURES:
        if any(figure.name in values for values in metrics.values()):
            rows.append([figure.title, *(_shown(figure, values.get(figure.name)) for values in metrics.values())])
    print_table(results["protocol"]["text"], ("figure", *metrics), rows)


def _shown(figure: Figure, value: float | None) -> str:
    return "-" if value is None else figure.show(value)


def _spell(value: Any) -> str:
    if isinstance(value, dict) and value and all(isinstance(entry, dict) for entry in value.values()):
        return _summary(value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_spell(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "\n".join(_spell(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _summary(counts: dict[str, dict[str, int]]) -> str:
    """Counts per class and part: all of a few classes, the spread and the smallest of many."""
    if len(counts) <= MOST_CLASSES:
        return "\n".join(f"{name}: {_spell(parts)}" for name, parts in counts.items())
    lines = []
    for part in next(iter(counts.values())):
        by_class = {name: parts[part] for name, parts in counts.items()}
        ordered = sorted(by_class.values())
        smallest = ", ".join(
            f"{name} {by_class[name]}" for name in sorted(by_class, key=lambda name: by_class[name])[:3]
        )
        spread = f"{ordered[0]} to {ordered[-1]}, median {ordered[len(ordered) // 2]}"
        lines.append(f"{part}: {spread} in {len(counts)} classes; fewest: {smallest}")
    return "\n".join(lines)
