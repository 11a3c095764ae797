"""Pictures on which two variants agree, and on which they don't, with what each thinks of them, side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from finegrained_crl.reports import drawing
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.page.charts import Chart, axes_of, shortened
from finegrained_crl.reports.page.gallery import Shown, Table
from finegrained_crl.reports.page.thumbnails import Thumbnails

EACH = 3
"""Pictures of a kind."""
Kind = tuple[str, int, list[Shown]]


def agreement_charts(table: Table, pair: tuple[str, str], names: list[str], pictures: Thumbnails) -> Iterator[Chart]:
    """Where both are right, or wrong; where one alone is right, either way: drawn by a seed, not chosen.

    Args:
        table: probabilities of all variants.
        pair: the two.
        names: of the classes.
        pictures: where they come from; without a single one no chart is made.
    """
    first, second = (variant_title(variant) for variant in pair)
    right = [table.probabilities[variant].argmax(1) == table.labels for variant in pair]
    both = {f"{first} and {second} right": right[0] & right[1], f"{first} and {second} wrong": ~right[0] & ~right[1]}
    one = {
        f"{first} right, {second} wrong": right[0] & ~right[1],
        f"{second} right, {first} wrong": right[1] & ~right[0],
    }
    charts = {"pictures-agree": ("Pictures on which both agree", both)}
    charts["pictures-disagree"] = ("Pictures on which one alone is right", one)
    drawn = {
        name: (title, [_drawn(kind, rows, table, pair, names, pictures) for kind, rows in kinds.items()])
        for name, (title, kinds) in charts.items()
    }
    everything = [shown for _, kinds in drawn.values() for _, _, listed in kinds for shown in listed]
    # "None" is an answer too; without a single picture that may be shown, there is nothing to look at.
    if any(shown.source for shown in everything):
        yield from (_chart(name, title, kinds) for name, (title, kinds) in drawn.items())


def _drawn(
    kind: str, of_kind: np.ndarray, table: Table, pair: tuple[str, str], names: list[str], pictures: Thumbnails
) -> Kind:
    rows = np.flatnonzero(of_kind)
    chosen = np.sort(np.random.default_rng(0).permutation(rows)[:EACH])
    return kind, len(rows), [table.shown(row, pair, names, pictures) for row in chosen]


def _chart(name: str, title: str, kinds: list[Kind]) -> Chart:
    texts = [text for _, _, listed in kinds for shown in listed for text in _texts(shown)]
    picture, places = axes_of(9.6, 1.9 * len(kinds) + 0.3, texts, nrows=len(kinds), ncols=2 * EACH, squeeze=False)
    for row, (kind, count, listed) in zip(places, kinds, strict=True):
        for k in range(EACH):
            if k < len(listed):
                _draw_picture(row[2 * k], listed[k])
                _draw_bars(row[2 * k + 1], listed[k])
            else:
                row[2 * k].set_axis_off()
                row[2 * k + 1].set_axis_off()
        row[0].annotate(f"{kind}: {count}", (0, 1.22), xycoords="axes fraction", fontsize=9, weight="bold")
    return Chart(
        name,
        title,
        "; ".join(f"{kind}: {count} pictures" for kind, count, _ in kinds),
        "Drawn by a seed from all such pictures, not chosen. Bars: each variant's likeliest classes, probabilities"
        " averaged over seeds; a dark bar is the true class.",
        picture,
    )


def _texts(shown: Shown) -> list[str]:
    return [shown.truth, *shown.bars, *(name for bars in shown.bars.values() for name, _, _ in bars)]


def _draw_picture(axes: Any, shown: Shown) -> None:
    from PIL import Image

    axes.set_axis_off()
    axes.set_title(shortened(shown.truth, 22), fontsize=8)
    if shown.source:
        data = base64.b64decode(shown.source.partition(",")[2])
        axes.imshow(np.asarray(Image.open(io.BytesIO(data))), interpolation="nearest")


def _draw_bars(axes: Any, shown: Shown) -> None:
    """The variants' likeliest classes below each other, the likeliest on top."""
    place, ticks, labels = 0.0, [], []
    for variant, bars in shown.bars.items():
        axes.text(0, place, drawing.label(variant), fontsize=7, va="center", weight="bold")
        for class_name, probability, is_true in bars:
            place += 1
            axes.barh(place, 100 * probability, 0.8, color=drawing.COLOURS[0 if is_true else 4])
            axes.text(min(100 * probability, 70) + 2, place, f"{100 * probability:.0f}", fontsize=6, va="center")
            ticks.append(place)
            labels.append(shortened(class_name, 14))
        place += 1.2
    axes.set_yticks(ticks, labels)
    axes.tick_params(labelsize=6, length=0)
    axes.set(xlim=(0, 100), ylim=(place - 0.6, -0.7), xticks=[])
    axes.spines[["bottom"]].set_visible(False)
