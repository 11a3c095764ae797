"""Which files are opened as pictures at all."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.data.images import check_header, read_image
from finegrained_crl.data.picture_files import MAX_PIXELS, PixelBudget, max_pixels, open_picture
from finegrained_crl.errors import FinegrainedError


def pixels(height=6, width=8):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF", "AVIF"])
def test_kinds_that_are_read_whatever_their_name(tmp_path, kind):
    Image.fromarray(pixels()).save(tmp_path / "a.jfif", kind)
    assert read_image(tmp_path / "a.jfif").shape == (6, 8, 3)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TGA", "PCX", "SGI", "ICO", "DDS", "JPEG2000", "ICNS", "IM"])
def test_kinds_that_are_not_read_whatever_their_name(tmp_path, kind):
    try:
        Image.fromarray(pixels(64, 64)).save(tmp_path / "a.jpg", kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow can't write {kind}")
    with pytest.raises(FinegrainedError, match=r"a\.jpg: unreadable image \(cannot identify image file"):
        read_image(tmp_path / "a.jpg")


def test_fits_is_not_reached(tmp_path):
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2"]
    cards += ["NAXIS1  =                    4", "NAXIS2  =                    4", "END"]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    (tmp_path / "a.jpg").write_bytes(header + bytes(2880))
    with Image.open(tmp_path / "a.jpg") as reached:
        assert reached.format == "FITS"
    with pytest.raises(FinegrainedError, match="unreadable image"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("look", [read_image, check_header], ids=["read", "header"])
def test_no_pipe_and_no_device(tmp_path, look):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for name, what in (("pipe.jpg", "a named pipe"), ("zero.jpg", "a device")):
        if look is check_header:
            assert what in look(tmp_path / name)
        else:
            with pytest.raises(FinegrainedError, match=rf"{name}: not a regular file but {what}"):
                look(tmp_path / name)


def png_of(path: Path, width: int, height: int) -> Path:
    """A PNG that claims a size; its pixels aren't there."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("side", "size"), [(13_000, "169.0"), (17_321, "300.0"), (40_000, "1,600.0")])
def test_a_large_picture_says_what_it_is(tmp_path, side, size):
    with pytest.raises(FinegrainedError) as caught:
        read_image(png_of(tmp_path / "a.png", side, side))
    assert f"{size} megapixels, more than the limit of 89.5" in str(caught.value)
    assert f"FINEGRAINED_CRL_MAX_PIXELS={side * side}" in str(caught.value)


def test_the_limit_can_be_raised_beyond_pillows_own(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv("FINEGRAINED_CRL_MAX_PIXELS", "2_000_000_000")
    with open_picture(png_of(tmp_path / "a.png", 40_000, 40_000)) as picture:
        assert picture.size == (40_000, 40_000)


def test_the_limit_that_the_message_names_is_enough(tmp_path, monkeypatch):
    path = png_of(tmp_path / "a.png", 8, 6)
    monkeypatch.setenv("FINEGRAINED_CRL_MAX_PIXELS", "47")
    with pytest.raises(FinegrainedError, match="set the environment variable FINEGRAINED_CRL_MAX_PIXELS=48"):
        read_image(path)
    monkeypatch.setenv("FINEGRAINED_CRL_MAX_PIXELS", "48")
    with open_picture(path) as picture:
        assert picture.size == (8, 6)


def test_pixels_are_free_again_when_their_picture_is_done():
    budget, held = PixelBudget(10), []

    def work():
        for _ in range(2):
            with budget.hold(8):
                held.append(8)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert held == [8, 8]


@pytest.mark.parametrize("text", ["0", "-5", "many", "1.5"])
def test_a_limit_that_is_none(monkeypatch, text):
    monkeypatch.setenv("FINEGRAINED_CRL_MAX_PIXELS", text)
    with pytest.raises(FinegrainedError, match=f"FINEGRAINED_CRL_MAX_PIXELS must be a number of pixels, got '{text}'"):
        max_pixels()
    monkeypatch.delenv("FINEGRAINED_CRL_MAX_PIXELS")
    assert max_pixels() == MAX_PIXELS
