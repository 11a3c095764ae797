"""Opening image files safely: which kinds of file are read at all, and how large a picture may be.

Pillow alone tries forty readers by a file's content, whatever its name says: some start other programs, some are hardly
used.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from finegrained_crl.data.picture_source import open_source
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF", "AVIF", "HEIF")
"""The last two where this Pillow, or the package pillow-heif, brings them. JPEG includes the several-picture files of
phones (MPO)."""
MAX_PIXELS = 89_478_485
"""Pillow's own threshold for a warning: a quarter of a gigabyte as 8-bit RGB."""
LIMIT_VARIABLE = "FINEGRAINED_CRL_MAX_PIXELS"
BROKEN = "download it again or remove its row; `fgcrl data verify` lists all such files"


class TooLargeError(FinegrainedError):
    """A picture of more pixels than `max_pixels`."""


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[Image]:
    """Open a picture without decoding it; what fails in the body is told as this file's fault too.

    Raises:
        FinegrainedError: missing or empty, no regular file, no picture of `FORMATS`, more pixels than `max_pixels`, or
            damaged.
    """
    with _open_file(path) as file, _told_of(path), _pillow().open(file, formats=_formats()) as picture:
        _check_size(path, picture.width * picture.height)
        yield picture


def max_pixels() -> int:
    """Most pixels of one picture: $FINEGRAINED_CRL_MAX_PIXELS, or `MAX_PIXELS`.

    Raises:
        FinegrainedError: the variable holds no positive whole number.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip().replace("_", "")
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or int(text) == 0:
        raise FinegrainedError(f"{LIMIT_VARIABLE} must be a number of pixels, got '{text}'")
    return int(text)


class PixelBudget:
    """Bounds how many pixels are in work at once in several threads; a picture that is larger than all of it is worked
    on alone.

    Args:
        pixels: in all.
    """

    def __init__(self, pixels: int = 64_000_000) -> None:
        self.pixels, self._used, self._changed = pixels, 0, threading.Condition()

    @contextlib.contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels; they are free again afterwards."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + pixels <= self.pixels)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()


@contextlib.contextmanager
def _open_file(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open_source(path)
    except FinegrainedError as error:
        if "no such file" not in str(error):
            raise
        raise FinegrainedError(f"{path}: no such image; check --data and the path column, or remove its row") from error
    with file:
        if not file.read(1):
            raise FinegrainedError(f"{path}: zero bytes; {BROKEN}")
        file.seek(0)
        yield file


@contextlib.contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except FinegrainedError:
        raise
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, MemoryError and more
        if type(error).__name__ == "DecompressionBombError":
            _check_size(path, _pixels_in(str(error)))
        raise FinegrainedError(f"{path}: unreadable image ({_one_line(error)}); {BROKEN}") from error


def _check_size(path: Path, pixels: int) -> None:
    if pixels > max_pixels():
        raise TooLargeError(
            f"{path}: {pixels / 1e6:,.1f} megapixels, more than the limit of {max_pixels() / 1e6:,.1f}; make the"
            f" picture smaller, or set the environment variable {LIMIT_VARIABLE}={pixels}"
        )


def _pixels_in(text: str) -> int:
    """The size that Pillow's error names."""
    size = re.search(r"\((\d+) pixels\)", text)
    return int(size[1]) if size else 0


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that can be read here."""
    with contextlib.suppress(Exception):  # a plug-in that is installed but broken is as good as none
        import pillow_heif

        pillow_heif.register_heif_opener()
    pil = _pillow()
    pil.init()
    return tuple(name for name in FORMATS if name in pil.OPEN)


def _pillow() -> Any:
    """Pillow, its own limit out of the way where ours is higher."""
    from PIL import Image as pil

    _silence()
    limit = max_pixels()
    if pil.MAX_IMAGE_PIXELS is not None and limit > 2 * pil.MAX_IMAGE_PIXELS:
        pil.MAX_IMAGE_PIXELS = limit
    return pil


@functools.cache
def _silence() -> None:
    """Pillow's warnings: of a large picture (`_check_size` refuses it), of odd EXIF data (which changes no pixel)."""
    from PIL import Image as pil

    warnings.filterwarnings("ignore", category=pil.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _one_line(error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r"<_io\.BufferedReader name=.*?>", "this file", text)
