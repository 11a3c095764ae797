"""Pairs of pictures side by side in one PNG, for looking at what an audit found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from PIL.Image import Image

TILE = 128
MARGIN = 8
CAPTION = 30
ACROSS = 3
MOST_PAIRS = 300


class Pair(NamedTuple):
    """Two pictures by their paths, and what to write below them."""

    first: str
    second: str
    caption: str


def contact_sheet(root: Path, pairs: Sequence[Pair]) -> bytes:
    """A PNG of the first `MOST_PAIRS` pairs, three pairs a row; a picture that can't be read is a grey tile.

    Args:
        root: folder that the paths are relative to.
        pairs: at least one.
    """
    from PIL import Image as pil
    from PIL import ImageDraw, ImageFont

    shown = pairs[:MOST_PAIRS]
    width, height = 2 * TILE + 2 * MARGIN, TILE + CAPTION + MARGIN
    rows = -(-len(shown) // ACROSS)
    sheet = pil.new("RGB", (ACROSS * width + MARGIN, rows * height + MARGIN), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=10)
    for i, pair in enumerate(shown):
        left, top = MARGIN + i % ACROSS * width, MARGIN + i // ACROSS * height
        sheet.paste(_tile(root / pair.first), (left, top))
        sheet.paste(_tile(root / pair.second), (left + TILE, top))
        lines = (f"{_short(pair.first)} | {_short(pair.second)}", pair.caption)
        for line, text in enumerate(lines):
            draw.text((left, top + TILE + 2 + 12 * line), _drawable(text), fill="black", font=font)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _tile(path: Path) -> Image:
    """The picture as it would be trained on, fitted into a square."""
    from PIL import Image as pil
    from PIL import ImageOps

    try:
        picture = pil.fromarray(read_image(path, convert=True))
    except FinegrainedError:
        return pil.new("RGB", (TILE, TILE), "grey")
    return ImageOps.pad(picture, (TILE - 2, TILE - 2), color="white")


def _short(path: str, most: int = 22) -> str:
    name = path.rpartition("/")[2]
    return name if len(name) <= most else f"{name[: most // 2 - 1]}..{name[-most // 2 + 1 :]}"


def _drawable(text: str) -> str:
    """Pillow's own font has no more than Latin letters."""
    return text.encode("latin-1", "replace").decode("latin-1").replace("\n", " ")[:64]
