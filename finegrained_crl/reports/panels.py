"""Panels side by side as one PNG: pictures, heat maps over them, marked points."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from finegrained_crl import files


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


def draw_panels(panels: Sequence[Drawable], caption: str, target: Path) -> Path:
    """Draw a row of panels under a caption.

    Args:
        panels: at least one.
        caption: line above all.
        target: .png to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, places = plt.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.9), layout="constrained", squeeze=False)
    for place, panel in zip(places.flat, panels, strict=True):
        place.imshow(panel.picture)
        if panel.heat is not None:
            # Opaque where it is hot: what the model did not use stays the plain picture.
            place.imshow(panel.heat, cmap="inferno", alpha=0.75 * np.clip(panel.heat, 0, 1) ** 0.7, vmin=0, vmax=1)
        for rank, (x, y, text) in enumerate(panel.points):
            place.plot(x, y, "o", ms=13 if rank < 3 else 8, mfc="none", mec="white", mew=3.2)
            place.plot(
                x, y, "o", ms=13 if rank < 3 else 8, mfc="none", mec="#0072B2" if rank < 3 else "#56B4E9", mew=1.6
            )
            if rank < 3:
                place.annotate(
                    text, (x, y), xytext=(8, 6), textcoords="offset points", fontsize=8, color="white", bbox=_LABEL
                )
        place.set_title(panel.title, fontsize=9, wrap=True)
        place.set(xlim=(-0.5, panel.picture.shape[1] - 0.5), ylim=(panel.picture.shape[0] - 0.5, -0.5))
        place.set_axis_off()
    figure.suptitle(textwrap.fill(caption, 40 * len(panels)), fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    plt.close(figure)
    files.write_bytes(target, buffer.getvalue())
    return target


_LABEL = {"boxstyle": "round,pad=0.15", "fc": "#0072B2", "ec": "none", "alpha": 0.85}
