"""From an image file to pixels, and the refusal to guess where a conversion would change what the picture shows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from finegrained_crl.data.picture_files import open_picture
from finegrained_crl.data.picture_source import open_source, source_bytes
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from PIL.Image import Image

SILENT_MODES = frozenset({"RGB", "L", "P", "1", "YCbCr"})
WHY_NOT = {
    "CMYK": "print colours need a colour profile, a plain conversion shifts every colour",
    "16-bit": "cutting 16 bits to 8 can saturate or blacken the picture",
    "animated": "a label speaks of one picture and the file holds several",
    "alpha": "what lies under the transparent part is arbitrary",
}
BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Of cameras and scanners: the values of a 16-bit file fill one of these."""


def read_image(path: Path, *, convert: bool = False, least_side: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode one image file.

    Grey, palette, bilevel and YCbCr pictures become RGB silently, since nothing is lost; the EXIF orientation is
    applied.

    Args:
        path: the file.
        convert: also accept transparency (laid over white), CMYK, 16 bits per channel (scaled to 0..255, see
            `eight_bit`), and the first picture of files that hold several.
        least_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (libjpeg drops frequencies instead of
            computing pixels that a resize would average away), as long as no side falls below this; None: whole.
    Returns:
        uint8, (height, width, 3), RGB.
    Raises:
        FinegrainedError: missing, empty, damaged, truncated or too large a file, or a mode that needs `convert`.
    """
    with open_picture(path) as opened:
        _refuse(path, opened, convert)
        deep = _is_deep_colour(opened)  # loading clears what tells it
        if least_side is not None:
            opened.draft(None, (least_side, least_side))  # files of other kinds are decoded whole
        opened.load()
        picture = _deep_colour(path, opened) if deep else opened
        return _upright(picture)


def image_pixels(image: Image, name: str, *, convert: bool = False) -> npt.NDArray[np.uint8]:
    """The pixels of an image that Pillow has open, under the rules of `read_image`.

    Args:
        image: Pillow's.
        name: what an error calls it.
        convert: as for `read_image`.
    Returns:
        uint8, (height, width, 3), RGB.
    Raises:
        FinegrainedError: a mode that needs `convert`.
    """
    reason = refusal(image, convert)
    if reason:
        raise DoubtfulModeError(f"{name}: {reason}")
    return _upright(image)


def _upright(picture: Image) -> npt.NDArray[np.uint8]:
    from PIL import ImageOps

    return np.array(to_rgb(ImageOps.exif_transpose(picture)), dtype=np.uint8)


def decode(path: Path, *, convert: bool = False) -> None:
    """`read_image` for its errors alone, without the memory of a conversion.

    Raises:
        FinegrainedError: as for `read_image`.
    """
    with open_picture(path) as opened:
        _refuse(path, opened, convert)
        opened.load()


def check_header(path: Path, convert: bool = False) -> str | None:
    """Look at a file's size, header and end; decode it only where the end is not what its format ends with.

    Args:
        path: the image file.
        convert: as for `read_image`.
    Returns:
        an error text that names the file, or None where nothing speaks against it (pixels may still be damaged in the
        middle).
    """
    try:
        with open_picture(path) as opened:
            _refuse(path, opened, convert)
            if not _ends_well(path, opened.format):
                opened.load()
    except FinegrainedError as error:
        return str(error)
    return None


ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}
"""What a whole file ends with (padding aside): a download that broke off has a fine header and another end."""


def _ends_well(path: Path, kind: str | None) -> bool:
    ending = ENDINGS.get(kind or "")
    with open_source(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 64))
        return ending is None or file.read().rstrip(b"\x00\n\r ").endswith(ending)


class DoubtfulModeError(FinegrainedError):
    """A sound picture of a mode that is not read without `convert`."""


def _refuse(path: Path, image: Image, convert: bool) -> None:
    reason = refusal(image, convert)
    if reason:
        raise DoubtfulModeError(f"{path}: {reason}")


def refusal(image: Image, convert: bool) -> str | None:
    """Why a picture of this mode is not read, and what to do; None where it is."""
    if convert:
        return None
    if _is_animated(image):
        why = WHY_NOT["animated"]
        return (
            f"{image.format} file with several pictures: {why}; save the one that is meant, or pass --convert-images"
            " for the first"
        )
    if image.mode in SILENT_MODES and "transparency" not in image.info and not _is_deep_colour(image):
        return None
    kind = _kind(image)
    why = WHY_NOT.get(kind, "its values have no agreed meaning as RGB")
    return f"{kind} image (mode {image.mode}): {why}; convert the file to 8-bit RGB, or pass --convert-images"


def _is_animated(image: Image) -> bool:
    """Whether a file holds several pictures; a phone's second view or preview (MPO) is the same picture again."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _kind(image: Image) -> str:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return "alpha"
    if image.mode.startswith("I") or image.mode == "F" or _is_deep_colour(image):
        return "16-bit"
    return image.mode


def _is_deep_colour(image: Image) -> bool:
    """Whether the file holds 16 bits per channel: Pillow opens such colour files as plain RGB and keeps each channel's
    high byte.
    """
    return any(re.search(r"(RGB[AXa]?|LA);16[BLN]", str(tile)) for tile in getattr(image, "tile", ()))


def _deep_colour(path: Path, opened: Image) -> Image:
    """The picture with its real 16 bits scaled to 8; OpenCV reads them, Pillow drops the low byte (12-bit values come
    out black).
    """
    import cv2
    from PIL import Image as pil

    content = np.frombuffer(source_bytes(path), dtype=np.uint8)
    values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if (
        values is None
        or values.dtype != np.uint16
        or values.ndim != 3
        or values.shape[:2] != (opened.height, opened.width)
    ):
        return opened
    top = _top(int(values[..., :3].max()))
    colour = eight_bit(values[..., 2::-1], top)
    if values.shape[2] == 4:
        colour = np.dstack([colour, eight_bit(values[..., 3], 65535)])
    picture = pil.fromarray(colour)
    picture.info = {key: value for key, value in opened.info.items() if key == "exif"}
    return picture


def to_rgb(image: Image) -> Image:
    """RGB from any mode that `refusal` let pass."""
    from PIL import Image as pil

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    kind = _kind(image)
    if kind == "alpha":
        white = pil.new("RGBA", image.size, "white")
        return pil.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if kind == "16-bit":
        values = np.asarray(image)
        top = _top(int(values.max())) if image.mode.startswith("I") else float(np.nanmax(values, initial=1e-12))
        return pil.fromarray(eight_bit(values, top)).convert("RGB")
    return image.convert("RGB")


def _top(highest: int) -> int:
    """What counts as white: the full scale of the fewest bits (8, 10, 12, 14 or 16) that hold the picture's highest
    value.

    A camera's 12 bits in a 16-bit file fill a sixteenth of the range: scaled by 65535 they would be black.
    """
    depths = [2**bits - 1 for bits in BIT_DEPTHS]
    return next((full for full in depths if highest <= full), highest)


def eight_bit(values: npt.NDArray[Any], top: float) -> npt.NDArray[np.uint8]:
    """Values scaled so that `top` becomes 255; what lies below 0 or is no number becomes 0.

    Pillow's own `convert("L")` clips everything above 255 to white.
    """
    scaled = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=top, neginf=0.0)
    scaled *= np.float32(255.0 / top)
    return np.round(np.clip(scaled, 0, 255, out=scaled), out=scaled).astype(np.uint8)
