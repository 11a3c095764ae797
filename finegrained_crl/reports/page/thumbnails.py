"""Pictures of the data set, small and inside the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError

SIDE = 112
QUALITY = 72


class Thumbnails:
    """Makes small pictures, at most so many.

    Args:
        root: folder of the data set's pictures; None where none may be shown.
        most: pictures that the page may hold.
    """

    def __init__(self, root: Path | None, most: int) -> None:
        self.root, self.left = root, most
        self.encoded: dict[str, str] = {}

    def of(self, path: str) -> str:
        """The picture as a data: address; "" where none may be shown, or it can't be read."""
        if self.root is None or (self.left <= 0 and path not in self.encoded):
            return ""
        if path not in self.encoded:
            self.encoded[path] = _encoded(self.root / path)
            self.left -= bool(self.encoded[path])
        return self.encoded[path]


def _encoded(path: Path) -> str:
    from PIL import Image

    try:
        picture = Image.fromarray(read_image(path, convert=True))
    except (FinegrainedError, OSError, ValueError):
        return ""  # the data set may have moved; the page goes on without it
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
