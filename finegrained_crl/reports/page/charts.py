"""A chart of the page: drawn by matplotlib, turned into SVG that a strict page may hold and that follows its theme."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from finegrained_crl import escaping
from finegrained_crl.reports import drawing

MARKERS = ("o", "s", "^", "D", "v", "P")
"""Repeat what colours say."""
MOST_NAMED = 12
"""Variants that one chart tells apart; the tables have all."""


@dataclass
class Chart:
    """One figure of the page.

    Attributes:
        name: of its files.
        title: above it.
        alt: what it shows, for those who can't see it.
        reading: how to read it, two sentences.
        figure: matplotlib's.
    """

    name: str
    title: str
    alt: str
    reading: str
    figure: Any

    @cached_property
    def svg(self) -> str:
        """The figure as an <svg> element that a page without inline styles may hold."""
        svg = _for_page(_raw_svg(self.figure, self.name), self.name, self.title, self.alt)
        self.figure.set_layout_engine("none")  # it is laid out; the PNG need not do it again
        return svg


def axes_of(width: float = 7.0, height: float = 3.2, texts: Sequence[str] = (), **grid: Any) -> tuple[Any, Any]:
    """A figure without background, and its axes.

    Args:
        width: inches; the page scales it.
        height: inches.
        texts: foreign text that will stand in it, for fonts that have its letters.
        grid: as for matplotlib's `subplots`.
    """
    plt = drawing.pyplot(texts)
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained", **grid)
    figure.patch.set_alpha(0)
    for one in np.ravel(axes):
        one.patch.set_alpha(0)
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
    return figure, axes


def look(i: int) -> dict[str, Any]:
    """Colour, line and marker of the i-th variant."""
    colour = drawing.COLOURS[i % len(drawing.COLOURS)]
    return {"color": colour, "ls": drawing.STYLES[i % len(drawing.STYLES)], "marker": MARKERS[i % len(MARKERS)]}


def shortened(text: str, most: int = 40) -> str:
    """Text for a label: the middle of a long one is left out; nothing in it is read as mathematics."""
    kept = text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"
    return drawing.label(kept)


def _raw_svg(figure: Any, name: str) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    # Text stays text; ids depend on the chart's name, so that those of two charts never meet.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return buffer.getvalue()


def _for_page(raw: str, name: str, title: str, alt: str) -> str:
    body = raw[raw.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r' style="([^"]*)"', lambda found: _attributes(found[1]), body)
    body = re.sub(r'(id="|#)(?=[A-Za-z])(?!fff)', rf"\g<1>{name}-", _without_colours(body))
    body = _with_colours(body)
    view = re.search(r'viewBox="[^"]*"', body)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="chart"'
        f' {view[0] if view else ""} role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(escaping.plain(title))}</title>'
        f'<desc id="{name}-desc">{escape(escaping.plain(alt))}</desc>'
    )
    return opening + body[body.index(">") + 1 :]


def _attributes(style: str) -> str:
    """CSS declarations as SVG attributes: a strict page allows no style attribute."""
    attributes = []
    for declaration in style.split(";"):
        key, colon, value = (part.strip() for part in declaration.partition(":"))
        if not colon:
            continue
        if key == "font":
            size = re.search(r"[\d.]+px", value)
            attributes.append(f'font-size="{size[0] if size else "10px"}"')
        elif value.lower() in ("#000000", "black"):
            attributes.append(f'{key}="currentColor"')  # ink of the theme
        else:
            attributes.append(f'{key}="{value}"')
    return "".join(f" {attribute}" for attribute in attributes)


def _without_colours(body: str) -> str:
    """Colours aside, so that "#" is the mark of a reference alone."""
    return re.sub(r"#([0-9a-fA-F]{6})\b", r"@colour-\1@", body)


def _with_colours(body: str) -> str:
    return re.sub(r"@colour-([0-9a-fA-F]{6})@", r"#\1", body)
