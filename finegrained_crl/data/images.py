"""From an image file to pixels, and the refusal to guess where a conversion would change what the picture shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"})

SILENT_MODES = frozenset({"RGB", "L", "P", "1", "YCbCr"})
WHY_NOT = {
    "CMYK": "print colours need a colour profile, a plain conversion shifts every colour",
    "16-bit": "cutting 16 bits to 8 can saturate or blacken the picture",
    "alpha": "what lies under the transparent part is arbitrary",
}
BROKEN = "download it again or remove its row; `fgcrl data verify` lists all such files"


def read_image(path: Path, *, convert: bool = False) -> npt.NDArray[np.uint8]:
    """Decode one image file.

    Grey, palette, bilevel and YCbCr pictures become RGB silently, since nothing is lost; the EXIF orientation is applied.

    Args:
        path: the file.
        convert: also accept transparency (laid over white), CMYK, and 16 bits per channel (scaled to 0..255).
    Returns:
        uint8, (height, width, 3), RGB.
    Raises:
        FinegrainedError: missing, empty, damaged or truncated file, or a mode that needs `convert`.
    """
    from PIL import Image, ImageOps

    _require_bytes(path)
    try:
        with Image.open(path) as opened:
            reason = refusal(opened, convert)
            if reason:
                raise FinegrainedError(f"{path}: {reason}")
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            return np.array(_to_rgb(opened), dtype=np.uint8)
    except FinegrainedError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        raise FinegrainedError(f"{path}: unreadable image ({_one_line(error)}); {BROKEN}") from error


def check_header(path: Path, convert: bool = False) -> str | None:
    """Look at a file's size, header and end; decode it only where the end is not what its format ends with.

    Args:
        path: the image file.
        convert: as for `read_image`.
    Returns:
        an error text that names the file, or None where nothing speaks against it (pixels may still be damaged in the middle).
    """
    from PIL import Image

    try:
        _require_bytes(path)
        with Image.open(path) as opened:
            reason = refusal(opened, convert)
            if not reason and not _ends_well(path, opened.format):
                opened.load()
    except FinegrainedError as error:
        return str(error)
    except Exception as error:  # as in read_image
        return f"{path}: unreadable image ({_one_line(error)}); {BROKEN}"
    return f"{path}: {reason}" if reason else None


ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}
"""What a whole file ends with (padding aside): a download that broke off has a fine header and another end."""


def _ends_well(path: Path, kind: str | None) -> bool:
    ending = ENDINGS.get(kind or "")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return ending is None or file.read().rstrip(b"\x00\n\r ").endswith(ending)


def refusal(image: Image, convert: bool) -> str | None:
    """Why a picture of this mode is not read, and what to do; None where it is."""
    if convert or (image.mode in SILENT_MODES and "transparency" not in image.info and not _is_deep_colour(image)):
        return None
    kind = _kind(image)
    why = WHY_NOT.get(kind, "its values have no agreed meaning as RGB")
    return f"{kind} image (mode {image.mode}): {why}; convert the file to 8-bit RGB, or pass --convert-images"


def _kind(image: Image) -> str:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return "alpha"
    if image.mode.startswith("I") or image.mode == "F" or _is_deep_colour(image):
        return "16-bit"
    return image.mode


def _is_deep_colour(image: Image) -> bool:
    """Whether the file holds 16 bits per channel: Pillow opens such colour files as plain RGB and keeps each channel's high byte."""
    return any(re.search(r"RGB[AX]?;16[BLN]", str(tile)) for tile in getattr(image, "tile", ()))


def _to_rgb(image: Image) -> Image:
    """RGB from any mode that `refusal` let pass."""
    from PIL import Image as pil

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    kind = _kind(image)
    if kind == "alpha":
        white = pil.new("RGBA", image.size, "white")
        return pil.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if kind == "16-bit":
        return _eight_bit(image).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image) -> Image:
    """Deep grey on 0..255: integers from 0..65535 (or up to their maximum, if that is larger), floats from 0..maximum.

    Pillow's own `convert("L")` clips everything above 255 to white.
    """
    from PIL import Image as pil

    values = np.asarray(image, dtype=np.float64)
    top = max(values.max(), 65535.0 if image.mode.startswith("I") else 1e-12)
    return pil.fromarray(np.round(np.clip(values / top, 0, 1) * 255).astype(np.uint8))


def _require_bytes(path: Path) -> None:
    if not path.is_file():
        raise FinegrainedError(f"{path}: no such image; check --data and the path column, or remove its row")
    if path.stat().st_size == 0:
        raise FinegrainedError(f"{path}: zero bytes; {BROKEN}")


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
