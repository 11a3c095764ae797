"""Copies that people make are found, whatever they did to them; other pictures are not taken for copies."""

import importlib.util
import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from finegrained_crl.data import near_duplicates as near_duplicates_
from finegrained_crl.data.alignment import likeness, window_warp
from finegrained_crl.data.descriptors import WHOLE, Whitening, coefficients, turned, turned_pixels
from finegrained_crl.data.looks import SIDE, Look, look_at, without_border
from finegrained_crl.data.near_duplicates import MOST_PARTNERS, NOMINATED, _best_of, _close, near_duplicates

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("audit_benchmark", ROOT / "tools" / "benchmarks" / "audit.py")
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)


def drawn(seed: int) -> Image.Image:
    """A picture with structure of every size, and a mark that no turn leaves in its place."""
    random_ = np.random.default_rng(seed)
    coarse = Image.fromarray(random_.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize(
        (180, 140), Image.Resampling.BICUBIC
    )
    fine = Image.fromarray(random_.integers(0, 256, (35, 45, 3), dtype=np.uint8)).resize(
        (180, 140), Image.Resampling.BICUBIC
    )
    return Image.blend(coarse, fine.filter(ImageFilter.GaussianBlur(1)), 0.4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    for i in range(24):
        drawn(i).save(root / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def looks(folder):
    return {path.name: look_at(path) for path in sorted(folder.iterdir())}


def pairs(looks):
    return near_duplicates(looks, {name: name for name in looks})


def look_of(content: bytes, folder: Path) -> Look:
    (folder / "copy.jpg").write_bytes(content)
    return look_at(folder / "copy.jpg")


def test_pictures_that_differ(looks):
    assert pairs(looks) == []


HOW = {
    "mirrored": {"mirrored"},
    "turned by 90 degrees": {"turned by 90 degrees"},
    "turned by 180 degrees": {"turned by 180 degrees"},
    "turned by 270 degrees": {"turned by 90 degrees"},
    "stored on its side, EXIF tag": {""},
    "cropped to 90 %": {"cropped", ""},
    "white border of 5 %": {"bordered"},
    "black border of 10 %": {"bordered"},
    "grey": {""},
}


@pytest.mark.parametrize(
    "name", [name for name in benchmark.CHANGES if name != "logo in a corner"]
)  # covers too much of the drawn ones
def test_every_change_is_found(looks, tmp_path, name):
    for i in (3, 17):
        copy = look_of(benchmark.CHANGES[name](drawn(i), random.Random(i)), tmp_path)
        (pair,) = pairs(looks | {"copy.jpg": copy})
        assert set(pair[:2]) == {"copy.jpg", f"{i}.png"}
        assert pair.how in HOW.get(name, {pair.how})


@pytest.mark.parametrize("number", [2, 3])
def test_a_copy_among_few(looks, tmp_path, number):
    few = dict(list(looks.items())[: number - 1])
    original = next(iter(few)).removesuffix(".png")
    copy = look_of(benchmark.CHANGES["mirrored"](drawn(int(original)), random.Random(0)), tmp_path)
    assert [set(pair[:2]) for pair in pairs(few | {"copy.jpg": copy})] == [{"copy.jpg", f"{original}.png"}]


def test_equal_bytes_are_told_elsewhere(looks):
    twice = {"a": looks["0.png"], "b": looks["0.png"], "c": looks["1.png"]}
    assert near_duplicates(twice, {"a": "same", "b": "same", "c": "other"}) == []
    assert [pair[:2] for pair in near_duplicates(twice, {"a": "one", "b": "two", "c": "other"})] == [("a", "b")]


def test_blank_pictures_are_no_copies_of_each_other(tmp_path, monkeypatch):
    for i, colour in enumerate(("white", "black", "white")):
        Image.new("RGB", (50, 50 + i), colour).save(tmp_path / f"{i}.png")
    monkeypatch.setattr("finegrained_crl.data.near_duplicates.likeness", None)  # they aren't even compared
    assert pairs({f"{i}.png": look_at(tmp_path / f"{i}.png") for i in range(3)}) == []
    assert pairs({}) == []


def test_the_likeness_asked_for(looks, tmp_path):
    copy = look_of(benchmark.CHANGES["half the size, quality 30"](drawn(3), random.Random(0)), tmp_path)
    both = looks | {"copy.jpg": copy}
    (pair,) = pairs(both)
    names = {name: name for name in both}
    assert near_duplicates(both, names, near=pair.likeness - 0.002)
    assert not near_duplicates(both, names, near=pair.likeness + 0.002)


def test_a_stamp_on_a_sixth_of_a_picture(looks):
    picture = looks["5.png"].full.astype(np.float32)
    stamped_ = picture.copy()
    stamped_[8:32, 8:34] = np.random.default_rng(0).integers(0, 256, (24, 26))
    start = window_warp(WHOLE, SIDE)
    assert likeness(picture, stamped_, start) > 0.9
    assert likeness(picture, looks["6.png"].full.astype(np.float32), start) < 0.5


@pytest.mark.parametrize("turn", range(8))
def test_coefficients_turn_as_pixels_do(looks, turn):
    picture = looks["5.png"].full.astype(np.float32)
    direct = coefficients(turned_pixels(picture, turn)[None], WHOLE)
    assert np.allclose(direct, turned(coefficients(picture[None], WHOLE), turn), atol=0.1)


def test_a_border_of_one_colour_a_side():
    grey = np.full((40, 60), 10, dtype=np.uint8)
    grey[:, :5] = 200
    grey[8:30, 9:52] = np.random.default_rng(0).integers(0, 256, (22, 43))
    assert without_border(grey) == (9, 8, 52, 30)
    assert without_border(grey[8:30, 9:52]) is None
    assert without_border(np.full((40, 60), 10, dtype=np.uint8)) is None, "all of it is border"


def test_looks_of_odd_files(tmp_path):
    picture = drawn(1)
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture.convert("RGBA").save(tmp_path / "alpha.png")
    picture.convert("P").save(tmp_path / "palette.png")
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 16).save(tmp_path / "deep.png")
    picture.save(tmp_path / "film.gif", save_all=True, append_images=[drawn(2)])
    picture.resize((20, 15)).save(tmp_path / "tiny.png")
    large = picture.resize((2400, 1800))
    Image.fromarray(np.asarray(large.convert("L")).astype(np.uint16) * 16).save(tmp_path / "large deep.png")
    large.convert("P").save(tmp_path / "large palette.png", transparency=0)
    whole = look_of(benchmark.encoded(picture), tmp_path).full.astype(float).ravel()
    for name in (
        "cmyk.jpg",
        "alpha.png",
        "palette.png",
        "deep.png",
        "film.gif",
        "tiny.png",
        "large deep.png",
        "large palette.png",
    ):
        look = look_at(tmp_path / name).full
        assert look.shape == (SIDE, SIDE)
        assert np.corrcoef(look.astype(float).ravel(), whole)[0, 1] > 0.9, name


@pytest.mark.realdata
def test_recall_and_pairs_on_real_cars(shared_data):
    paths = sorted((shared_data / "stanford_cars_audi_bmw_crops" / "cars_train").glob("*.jpg"))[:400]
    measured = {}
    some = ("mirrored", "cropped to 90 %", "watermark", "half the size, quality 30")
    benchmark_changes, benchmark.CHANGES = benchmark.CHANGES, {name: benchmark.CHANGES[name] for name in some}
    try:
        measured = benchmark.measured(paths, every=20)
    finally:
        benchmark.CHANGES = benchmark_changes
    assert min(measured["recall"].values()) >= 0.95
    assert {frozenset(Path(path).stem for path in pair[:2]) for pair in measured["pairs"]} <= TRUE_COPIES


TRUE_COPIES = {
    frozenset(pair) for pair in [("01129", "03178"), ("00755", "04818"), ("02456", "02598"), ("00070", "03722")]
}
"""Looked at: the same photograph twice."""


def test_the_benchmark_runs(folder, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "CHANGES", {"mirrored": benchmark.CHANGES["mirrored"]})
    assert benchmark.main(["--data", str(folder), "--every", "8"]) == 0
    assert "24 pictures, 276 pairs, 0 taken for copies" in capsys.readouterr().out
    assert benchmark.main(["--data", str(folder), "--time", "30", "--json"]) == 0
    assert '"pairs": 6' in capsys.readouterr().out


def test_sheet(folder, tmp_path):
    from finegrained_crl.data.contact_sheet import ACROSS, Pair, contact_sheet

    shown = [Pair("0.png", "1.png", "one"), Pair("2.png", "gone.png", "a \u4e2d"), *[Pair("3.png", "3.png", "x")] * 2]
    sheet = contact_sheet(folder, shown)
    with Image.open(io.BytesIO(sheet)) as opened:
        pixels = np.asarray(opened)
    assert opened.format == "PNG"
    assert opened.width > ACROSS * 256
    first = pixels[8 + 40 : 8 + 90, 8 + 10 : 8 + 110].astype(float)
    assert first.std() > 10, "the first picture is drawn"
    assert (pixels == 128).all(axis=2).sum() > 10_000, "a picture that can't be read is a grey tile"


def test_of_many_alike_the_most_alike_are_looked_at():
    cosines = np.random.default_rng(0).uniform(NOMINATED, 1, (2, 40)).astype(np.float32)
    for row in (0, 1):
        looked_at = {column - 100 for at, column, _ in _best_of(cosines, 7, 100) if at == 7 + row}
        assert looked_at == set(np.argsort(-cosines[row])[: MOST_PARTNERS + 1].tolist())


def test_of_a_window_every_picture_is_looked_at_not_those_behind_alone(monkeypatch):
    monkeypatch.setattr(near_duplicates_, "ROWS", 1)
    monkeypatch.setattr(near_duplicates_, "COLUMNS", 1)
    seen, targets = np.eye(3, dtype=np.float32)[[2, 0, 1]], np.eye(3, dtype=np.float32)
    close = {halved: [near[:2] for near in _close(seen, targets, halved=halved)] for halved in (False, True)}
    assert close == {False: [(0, 2), (1, 0), (2, 1)], True: [(0, 2)]}


@pytest.mark.parametrize(("shift", "alike"), [(16, True), (40, False)])
def test_pictures_that_hardly_overlap_are_not_alike_however_they_fit(shift, alike):
    wide = np.asarray(drawn(5).convert("L").resize((SIDE + shift, SIDE)), dtype=np.float32)
    start = np.array([[1, 0, -shift], [0, 1, 0]], dtype=np.float32)
    found = likeness(wide[:, :SIDE].copy(), wide[:, shift:].copy(), start)
    assert found > 0.9 if alike else found == -1


def test_the_middle_of_a_window_is_laid_on_the_middle():
    middle = (SIDE - 1) / 2
    at = window_warp((8, 4, 32, 16), SIDE) @ [middle, middle, 1]
    assert at.tolist() == [8 + 32 / 2 - 0.5, 4 + 16 / 2 - 0.5]


def cosine(pictures):
    one, other = Whitening(pictures).describe(coefficients(pictures, WHOLE))[:2]
    return float(one @ other)


def test_what_all_pictures_share_makes_none_alike_and_two_copies_alone_are():
    random = np.random.default_rng(0)
    smooth = lambda count: np.kron(random.normal(size=(count, 8, 8)), np.ones((8, 8))).astype(np.float32)  # noqa: E731
    shared = 3 * smooth(1) + smooth(200)
    assert abs(cosine(shared)) < NOMINATED
    copies = np.concatenate([picture := smooth(1), picture + 0.1 * smooth(1)])
    assert cosine(copies) > 0.9


def test_pictures_of_one_pose_with_other_details_are_not_alike():
    random = np.random.default_rng(0)
    pose = 40 * np.kron(random.normal(size=(4, 4)), np.ones((16, 16))).astype(np.float32)
    pose = np.asarray(Image.fromarray(pose).resize((4, 4)).resize((64, 64), Image.Resampling.BICUBIC))
    one, other = (pose + 5 * random.normal(size=(64, 64)).astype(np.float32) for _ in range(2))
    assert likeness(one, other, window_warp(WHOLE, SIDE)) < 0.5
    assert likeness(one, one.copy(), window_warp(WHOLE, SIDE)) > 0.99
