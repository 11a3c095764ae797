"""index.html of a folder of experiments, laid out like a report and as strict."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from finegrained_crl import files
from finegrained_crl.reports.page.render import environment, policy, template
from finegrained_crl.reports.runs_index import COLUMNS, Entry


def write_index(root: Path, entries: list[Entry]) -> Path:
    """Write ROOT/index.html.

    Returns:
        its path.
    """
    from markupsafe import Markup

    style = template("style.css")
    rows = [[_shown(entry, column) for column in COLUMNS[:-1]] for entry in entries]
    links = [quote(entry.report) for entry in entries]
    html = (
        environment()
        .from_string(template("index.html"))
        .render(
            columns=[COLUMN_TITLES.get(column, column) for column in COLUMNS[:-1]],
            rows=list(zip(rows, links, strict=True)),
            policy=policy(style, ""),
            style=Markup(style),
        )
    )
    files.write_text(root / "index.html", html)
    return root / "index.html"


COLUMN_TITLES = {"score": "score %", "low": "from %", "high": "to %", "date": "written (UTC)"}


def _shown(entry: Entry, column: str) -> str:
    value = getattr(entry, column)
    if value is None:
        return "-"
    return f"{100 * value:.2f}" if column in ("score", "low", "high") else str(value)
