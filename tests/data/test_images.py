from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from finegrained_crl.data.images import check_header, read_image
from finegrained_crl.errors import FinegrainedError


def picture(mode: str) -> Image.Image:
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return rgb.convert(mode)


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", "png"), ("L", "png"), ("P", "png"), ("1", "png"), ("L", "jpg"), ("P", "gif")])
def test_plain_modes_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture(mode).save(path)
    pixels = read_image(path)
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.uint8
    assert check_header(path) is None
    if mode == "RGB":
        assert np.array_equal(pixels, np.asarray(picture("RGB")))


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture("RGB").save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(np.asarray(picture("RGB")), -1))


def deep(path: Path) -> Path:
    Image.fromarray(np.array([[0, 257], [65535, 256 * 128]], dtype=np.uint16)).save(path)
    return path


def transparent(path: Path) -> Path:
    Image.fromarray(np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], dtype=np.uint8)).save(path)
    return path


def palette_hole(path: Path) -> Path:
    picture("P").save(path, transparency=0)
    return path


def cmyk(path: Path) -> Path:
    picture("CMYK").save(path.with_suffix(".jpg"))
    return path.with_suffix(".jpg")


def deep_colour(path: Path) -> Path:
    cv2.imwrite(str(path), np.full((4, 4, 3), 40_000, dtype=np.uint16))
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [(deep, r"16-bit image \(mode I;16"), (deep_colour, "16-bit"), (transparent, "alpha"), (palette_hole, "alpha"), (cmyk, "CMYK")],
)
def test_doubtful_modes_are_refused_with_a_way_out(tmp_path: Path, make: object, kind: str) -> None:
    path = make(tmp_path / "a.png")  # type: ignore[operator]
    with pytest.raises(FinegrainedError, match=rf"{path.name}: {kind}.*convert the file to 8-bit RGB, or pass --convert-images"):
        read_image(path)
    assert "--convert-images" in (check_header(path) or "")
    assert check_header(path, convert=True) is None
    assert read_image(path, convert=True).shape[2] == 3


def test_conversions_keep_what_is_seen(tmp_path: Path) -> None:
    assert read_image(deep(tmp_path / "a.png"), convert=True)[..., 0].tolist() == [[0, 1], [255, 128]]
    seen = read_image(transparent(tmp_path / "b.png"), convert=True)
    assert seen[0, :2].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert abs(int(seen[0, 2, 0]) - 127) <= 1


def test_sixteen_bits_of_colour_scale_to_eight(tmp_path: Path) -> None:
    assert set(read_image(deep_colour(tmp_path / "a.png"), convert=True).ravel().tolist()) == {40_000 // 256}


def test_damaged_files(tmp_path: Path) -> None:
    picture("RGB").resize((200, 200)).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    cases = {"cut.jpg": content[: len(content) // 2], "junk.jpg": b"not a picture at all", "empty.jpg": b""}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        reason = "zero bytes" if name == "empty.jpg" else "unreadable image"
        with pytest.raises(FinegrainedError, match=rf"{name}: {reason}.*fgcrl data verify"):
            read_image(tmp_path / name)
    with pytest.raises(FinegrainedError, match=r"gone\.jpg: no such image"):
        read_image(tmp_path / "gone.jpg")
    assert "unreadable" in (check_header(tmp_path / "junk.jpg") or "")
    assert "truncated" in (check_header(tmp_path / "cut.jpg") or "")
    assert check_header(tmp_path / "whole.jpg") is None
    (tmp_path / "padded.jpg").write_bytes(content + b"a camera's own data")
    assert check_header(tmp_path / "padded.jpg") is None
    assert "zero bytes" in (check_header(tmp_path / "empty.jpg") or "")
