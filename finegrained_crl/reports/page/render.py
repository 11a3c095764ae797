"""The page laid out: one file, its own style and script named by their hashes in its content security policy."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

from finegrained_crl import files
from finegrained_crl.metrics.catalogue import Figure
from finegrained_crl.reports import drawing
from finegrained_crl.reports.page.charts import Chart
from finegrained_crl.reports.page.context import Page
from finegrained_crl.reports.tables import Sheet

Block = tuple[str, str, list[Sheet], list[Chart]]
"""Id, title, tables, charts of a section."""


def render(page: Page, primary: Figure) -> str:
    """The HTML of a page.

    Args:
        page: what stands on it.
        primary: the figure of its headline.
    """
    from markupsafe import Markup

    style, script = template("style.css"), template("script.js")
    blocks = _blocks(page)
    return str(
        environment()
        .from_string(template("report.html"))
        .render(
            page=page,
            primary=primary,
            blocks=blocks,
            sections=_sections(page, blocks),
            policy=policy(style, script),
            # Both are files of this package: nothing of the study is in them.
            style=Markup(style),
            script=Markup(script),
        )
    )


def environment() -> Any:
    """jinja2's, foreign text escaped and its invisible characters spelt out."""
    from jinja2 import Environment, StrictUndefined

    return Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_visible, trim_blocks=True, lstrip_blocks=True
    )


def policy(style: str, script: str) -> str:
    """The content security policy: nothing is fetched, and no other style or script runs."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}';"
        " base-uri 'none'; form-action 'none'"
    )


def write_page(folder: Path, page: Page, primary: Figure) -> list[Path]:
    """Write report.html, and each chart as figures/NAME.svg and .png.

    Returns:
        the files, report.html first.
    """
    html = render(page, primary)
    written = [folder / "report.html"]
    for charts in page.charts.values():
        for chart in charts:
            files.write_text(folder / "figures" / f"{chart.name}.svg", standalone(chart.svg))
            drawing.save(chart.figure, folder / "figures" / f"{chart.name}.png", dpi=130, facecolor="white")
            written += [folder / "figures" / f"{chart.name}{suffix}" for suffix in (".svg", ".png")]
    files.write_text(folder / "report.html", html)
    return written


def standalone(svg: str) -> str:
    """A chart outside the page: black ink, a font."""
    return svg.replace('class="chart"', 'color="black" font-family="sans-serif"', 1)


def _blocks(page: Page) -> list[Block]:
    """Sections of tables and charts, those without either left out."""
    tables = {
        name: [sheet for sheet in page.sheets if sheet.name.startswith(starts)] for name, starts in TABLES.items()
    }
    placed = {id(sheet) for sheets in tables.values() for sheet in sheets}
    tables["more"] = [sheet for sheet in page.sheets if id(sheet) not in placed]
    blocks = [
        (name, title, tables.get(name, []), [chart for key in keys for chart in page.charts.get(key, [])])
        for name, title, keys in BLOCKS
    ]
    return [block for block in blocks if block[2] or block[3]]


TABLES = {
    "figures": ("losses-", "intervals-"),
    "differences": ("differences-", "choices-"),
    "recall": ("recall-",),
    "published": ("published",),
}
"""Section -> how the names of its tables start."""
BLOCKS = (
    ("differences", "Differences", ("differences",)),
    ("figures", "Figures", ()),
    ("folds", "Fold by fold", ("folds",)),
    ("settings", "Over the grid", ("settings",)),
    ("curves", "Learning curves", ("curves",)),
    ("probabilities", "Probabilities", ("probabilities",)),
    ("distances", "Distance of errors", ("distances",)),
    ("recall", "Recall per class", ("recall",)),
    ("confusions", "Confusions", ("confusions",)),
    ("more", "More tables, subgroups", ()),
    ("published", "Published figures", ()),
)
"""Sections in the order of the page: id, title, its charts."""


def _sections(page: Page, blocks: list[Block]) -> list[tuple[str, str]]:
    sections = [
        ("what", "What was compared"),
        ("variants", "Variants"),
        *((name, title) for name, title, _, _ in blocks),
    ]
    sections += [("pairs", "Taken for each other")] if page.pairs else []
    sections += [("gallery", "Disagreements")] if page.disagreements else []
    sections += [("hardest", "Highest loss")]
    sections += [("near", "Near-copies")] if page.near else []
    return [*sections, ("cost", "Cost"), ("provenance", "Provenance")]


def _visible(value: Any) -> Any:
    """Control and direction characters of foreign text spelt out; what is markup already stays."""
    from markupsafe import Markup

    from finegrained_crl import escaping

    return escaping.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def template(name: str) -> str:
    """A file of this package that is laid out."""
    text = (resources.files("finegrained_crl.reports.page") / "templates" / name).read_text(encoding="utf-8")
    # A stray end tag would close the element early; the files hold none, and this keeps it so.
    if re.search(r"</(style|script)", text) and not name.endswith(".html"):
        raise ValueError(f"{name} closes its own element")
    return text


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
