"""Panels side by side as one PNG: pictures, heat maps over them, marked points; a row per run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from finegrained_crl.reports import drawing


class Drawable(Protocol):
    """A panel: title, uint8 picture (height, width, 3), heat map in [0, 1] or None, (x, y, text) points."""

    @property
    def title(self) -> str: ...  # noqa: D102

    @property
    def picture(self) -> np.ndarray: ...  # noqa: D102

    @property
    def heat(self) -> np.ndarray | None: ...  # noqa: D102

    @property
    def points(self) -> list[tuple[float, float, str]]: ...  # noqa: D102


def draw_panels(rows: Mapping[str, Sequence[Drawable]], caption: str, target: Path) -> Path:
    """Draw rows of panels under a caption.

    Args:
        rows: name of a run -> its panels, at least one; the names are shown where there are several.
        caption: line above all.
        target: .png to write.
    """
    texts = [caption, *rows, *(panel.title for panels in rows.values() for panel in panels)]
    plt = drawing.pyplot(texts)
    columns = max(len(panels) for panels in rows.values())
    size = (3.4 * columns + 0.5, 3.9 * len(rows))
    figure, places = plt.subplots(len(rows), columns, figsize=size, layout="constrained", squeeze=False)
    for row, (name, panels) in zip(places, rows.items(), strict=True):
        for place in row:
            place.set_axis_off()
        heads = [_folded(name), *[""] * len(panels)] if len(rows) > 1 else [""] * len(panels)
        for place, panel, head in zip(row, panels, heads, strict=False):
            _draw(figure, place, panel, f"{head}\n{panel.title}" if head else panel.title)
    lines = textwrap.wrap(drawing.label(caption), 40 * columns)
    figure.suptitle("\n".join(lines), fontsize=10)
    return drawing.save(figure, target, dpi=130)


def _folded(name: str) -> str:
    """A run's name and what it says, as wide as a panel."""
    return "\n".join(textwrap.wrap(name, 46))


def _draw(figure: Any, place: Any, panel: Drawable, title: str) -> None:
    place.imshow(panel.picture)
    if panel.heat is not None:
        # Opaque where it is hot: what the model did not use stays the plain picture.
        opacity = 0.75 * np.clip(panel.heat, 0, 1) ** 0.7
        shown = place.imshow(panel.heat, cmap="inferno", alpha=opacity, vmin=0, vmax=1)
        figure.colorbar(_opaque(shown), ax=place, shrink=0.7, label="share of the strongest place")
    for rank, (x, y, text) in enumerate(panel.points):
        _mark(place, rank, x, y, text)
    place.set_title("\n".join(drawing.label(line) for line in title.split("\n")), fontsize=9, wrap=True)
    place.set(xlim=(-0.5, panel.picture.shape[1] - 0.5), ylim=(panel.picture.shape[0] - 0.5, -0.5))


def _opaque(shown: Any) -> Any:
    """The colours of an image without its opacity, for a colour bar."""
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(norm=shown.norm, cmap=shown.cmap)


def _mark(place: Any, rank: int, x: float, y: float, text: str) -> None:
    """The first three points are large and named."""
    is_first = rank < 3
    side, colour = (13, "#0072B2") if is_first else (8, "#56B4E9")
    place.plot(x, y, "o", ms=side, mfc="none", mec="white", mew=3.2)
    place.plot(x, y, "o", ms=side, mfc="none", mec=colour, mew=1.6)
    if is_first:
        name = drawing.label(text)
        place.annotate(name, (x, y), xytext=(8, 6), textcoords="offset points", fontsize=8, color="white", bbox=_LABEL)


_LABEL = {"boxstyle": "round,pad=0.15", "fc": "#0072B2", "ec": "none", "alpha": 0.85}
