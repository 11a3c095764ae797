"""A photograph with its faces marked: box, landmarks, and what is said of each."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from finegrained_crl import escaping
from finegrained_crl.faces.face import Pixels
from finegrained_crl.faces.prepare import BOX, POINTS

COLOUR, DARK = (255, 210, 0), (0, 0, 0)
LONGEST_TEXT = 40


def annotated(pixels: Pixels, scale: float, faces: Sequence[tuple[Mapping[str, Any], str]]) -> bytes:
    """A JPEG file of the photograph with its faces marked.

    Args:
        pixels: uint8, (height, width, 3), the photograph, or a smaller copy.
        scale: of the copy to the photograph.
        faces: row (`prepare.face_row`) and text of each.
    """
    from PIL import Image as pil
    from PIL import ImageDraw, ImageFont

    picture = pil.fromarray(pixels)
    line = max(2, round(min(picture.size) / 300))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=max(11, 8 * line))
    for row, text in faces:
        left, upper, width, height = (scale * row[name] for name in BOX)
        draw.rectangle((left, upper, left + width, upper + height), outline=COLOUR, width=line)
        for point in POINTS:
            x, y = scale * row[f"{point}_x"], scale * row[f"{point}_y"]
            draw.ellipse((x - line, y - line, x + line, y + line), fill=COLOUR)
        _write(draw, font, (left, upper), _drawable(text))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, subsampling=0)
    return out.getvalue()


def _write(draw: Any, font: Any, corner: tuple[float, float], text: str) -> None:
    """Text above a corner, or below it at the upper edge, on a ground of its own: a photograph may have any colour."""
    _, _, width, height = draw.textbbox((0, 0), text, font=font)
    x = min(max(0.0, corner[0]), max(0.0, draw.im.size[0] - width))
    y = corner[1] - height if corner[1] >= height else corner[1]
    draw.rectangle((x, y, x + width, y + height), fill=COLOUR)
    draw.text((x, y), text, fill=DARK, font=font)


def _drawable(text: str) -> str:
    """Pillow's own font has no more than Latin letters."""
    return escaping.plain(text).encode("latin-1", "replace").decode("latin-1")[:LONGEST_TEXT]
