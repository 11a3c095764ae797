import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from finegrained_crl.data.images import check_header, read_image
from finegrained_crl.errors import FinegrainedError


def picture(mode: str) -> Image.Image:
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return rgb.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGB", "png"), ("L", "png"), ("P", "png"), ("1", "png"), ("L", "jpg"), ("P", "gif")]
)
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
    [
        (deep, r"16-bit image \(mode I;16"),
        (deep_colour, "16-bit"),
        (transparent, "alpha"),
        (palette_hole, "alpha"),
        (cmyk, "CMYK"),
    ],
)
def test_doubtful_modes_are_refused_with_a_way_out(tmp_path: Path, make: object, kind: str) -> None:
    path = make(tmp_path / "a.png")  # type: ignore[operator]
    with pytest.raises(
        FinegrainedError, match=rf"{path.name}: {kind}.*convert the file to 8-bit RGB, or pass --convert-images"
    ):
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


def twelve_bit(path: Path, values: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), values.astype(np.uint16))
    return path


@pytest.mark.parametrize(("highest", "full"), [(255, 255), (1000, 1023), (4095, 4095), (16000, 16383), (40000, 65535)])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)], ids=["grey", "colour"])
def test_deep_values_are_scaled_by_the_bits_that_they_fill(
    tmp_path: Path, highest: int, full: int, shape: tuple[int, ...]
) -> None:
    values = np.full(shape, highest // 2)
    values[0, 0] = highest
    pixels = read_image(twelve_bit(tmp_path / "a.png", values), convert=True)
    assert pixels[0, 0].tolist() == [round(highest * 255 / full)] * 3
    assert pixels[2, 2].tolist() == [round(highest // 2 * 255 / full)] * 3


def test_deep_colour_keeps_its_channels_and_its_transparency(tmp_path: Path) -> None:
    values = np.zeros((2, 2, 4))
    values[..., :3] = [100, 2000, 4095]  # blue, green, red
    values[..., 3] = [[65535, 0], [65535, 65535]]
    pixels = read_image(twelve_bit(tmp_path / "a.png", values), convert=True)
    assert pixels[0, 0].tolist() == [255, round(2000 * 255 / 4095), round(100 * 255 / 4095)]
    assert pixels[0, 1].tolist() == [255, 255, 255]


def test_deep_colour_is_turned_upright(tmp_path: Path) -> None:
    values = np.zeros((2, 4, 3))
    values[0, 0] = 4095
    twelve_bit(tmp_path / "a.png", values)
    content = (tmp_path / "a.png").read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\x00\x00")
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(content[:33] + whole + content[33:])
    pixels = read_image(tmp_path / "a.png", convert=True)
    assert pixels.shape == (4, 2, 3)
    assert pixels[0, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_pictures_in_one_file(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = tmp_path / "a.png"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], lossless=True, duration=100)
    with pytest.raises(
        FinegrainedError, match=rf"{kind} file with several pictures: .*or pass --convert-images for the first"
    ):
        read_image(path)
    assert "several pictures" in (check_header(path) or "")
    assert read_image(path, convert=True)[0, 0].tolist() == [
        255 if kind != "GIF" else read_image(path, convert=True)[0, 0, 0],
        0,
        0,
    ]


def test_a_phones_file_of_two_views_is_one_picture(tmp_path: Path) -> None:
    frames = [picture("RGB"), picture("RGB")]
    frames[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.jpg") as opened:
        assert opened.format == "MPO"
        assert opened.n_frames == 2
    assert read_image(tmp_path / "a.jpg").shape == (6, 8, 3)


def test_floats_that_are_no_numbers(tmp_path: Path) -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan, -np.inf]], dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif", convert=True)[0, :, 0].tolist() == [0, 128, 255, 0, 0]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_pictures_are_pixels_or_one_line(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF", "AVIF"]))
    whole = io.BytesIO()
    picture("RGB").resize((20, 20)).save(whole, kind)
    content = bytearray(whole.getvalue())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=8)
    ):
        content[place] = value
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        assert read_image(path, convert=data.draw(st.booleans())).shape[2] == 3
    except FinegrainedError as error:
        told = str(error)
    else:
        return
    assert "\n" not in told
    assert str(path) in told


def test_a_transparent_colour_becomes_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 0, 0], [9, 8, 7]]], dtype=np.uint8)).save(
        tmp_path / "a.png", transparency=(9, 8, 7)
    )
    assert read_image(tmp_path / "a.png", convert=True).tolist() == [[[255, 0, 0], [255, 255, 255]]]


def smooth_photograph() -> Image.Image:
    """400 x 300, as much detail as photographs have: noise whose frequencies fall off."""
    noise = np.random.default_rng(0).normal(128, 400, (300, 400, 3)).astype(np.float32)
    return Image.fromarray(np.clip(cv2.GaussianBlur(noise, (0, 0), 4), 0, 255).astype(np.uint8))


@pytest.mark.parametrize(("least", "height"), [(None, 300), (301, 300), (151, 300), (150, 150), (75, 75), (37, 38)])
def test_a_jpeg_is_decoded_no_smaller_than_asked(tmp_path: Path, least: int | None, height: int) -> None:
    smooth_photograph().save(tmp_path / "a.jpg", quality=95)
    pixels = read_image(tmp_path / "a.jpg", least_side=least)
    assert pixels.shape[:2] == (height, 400 * height // 300)


def test_a_smaller_decoding_shows_the_same_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    smooth_photograph().save(tmp_path / "a.jpg", quality=95, exif=exif)
    whole, small = read_image(tmp_path / "a.jpg"), read_image(tmp_path / "a.jpg", least_side=100)
    assert (whole.shape, small.shape) == ((400, 300, 3), (200, 150, 3))
    resized = cv2.resize(whole, (150, 200), interpolation=cv2.INTER_AREA)
    assert np.abs(resized.astype(int) - small).mean() < 1.5


def test_other_kinds_are_decoded_whole(tmp_path: Path) -> None:
    smooth_photograph().save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", least_side=20).shape == (300, 400, 3)
