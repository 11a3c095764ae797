"""Windows: where they may lie, that each picture's are its own, and that cutting copies the right pixels."""

from dataclasses import replace

import numpy as np
import pytest

from finegrained_crl.data.transforms import ImageSettings
from finegrained_crl.data.windows import cut, only_cuts, random_windows, view_windows

CIFAR = ImageSettings(32, "squash", 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, "single", pad=4)
COUNT = 20_000


def drawn(settings=CIFAR, seed=0, epoch=0, height=32, width=32, count=COUNT):
    epochs, heights, widths = (np.full(count, value) for value in (epoch, height, width))
    return random_windows(settings, seed, epochs, np.arange(count), heights, widths)


def test_windows_lie_evenly_over_all_places():
    tops, lefts, mirrored = (values.ravel() for values in drawn(height=34, width=40))
    assert sorted(set(tops)) == list(range(-4, 7))
    assert sorted(set(lefts)) == list(range(-4, 13))
    for values in (tops, lefts):
        counts = np.unique(values, return_counts=True)[1]
        expected = COUNT / len(counts)
        # A chi-squared value five deviations above its mean would come once in millions.
        assert ((counts - expected) ** 2 / expected).sum() < len(counts) + 5 * np.sqrt(2 * len(counts))
    assert abs(mirrored.mean() - 0.5) < 0.02


def test_places_and_flips_know_nothing_of_each_other():
    tops, lefts, mirrored = (values.ravel().astype(float) for values in drawn())
    correlations = np.corrcoef([tops, lefts, mirrored])
    assert np.abs(correlations - np.eye(3)).max() < 0.03
    later = drawn(epoch=1).tops.ravel().astype(float)
    assert abs(np.corrcoef(tops, later)[0, 1]) < 0.03


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}])
def test_seed_and_epoch_matter(other):
    assert (drawn().tops != drawn(**other).tops).mean() > 0.8


def test_a_window_depends_on_its_own_picture_alone():
    whole = drawn()
    one = random_windows(CIFAR, 0, np.array([0]), np.array([77]), np.array([32]), np.array([32]))
    assert all(np.array_equal(single[0], many[77]) for single, many in zip(one, whole, strict=True))


@pytest.mark.parametrize(("hflip", "share"), [(0.0, 0.0), (1.0, 1.0), (0.25, 0.25)])
def test_pictures_are_mirrored_with_the_asked_probability(hflip, share):
    assert drawn(replace(CIFAR, hflip=hflip)).mirrored.mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ({}, True),
        ({"crop_scale": 0.5}, False),
        ({"rotate": 5.0}, False),
        ({"color_jitter": 0.1}, False),
        ({"erase": 0.1}, False),
    ],
)
def test_only_pad_crop_and_flip_are_cuts(change, plain):
    assert only_cuts(replace(CIFAR, **change)) is plain


def test_views_of_pictures_of_different_sizes():
    windows = view_windows(4, "ten-crop", np.array([6, 4]), np.array([8, 5]))
    assert windows.tops.tolist() == [[1, 0, 0, 2, 2] * 2, [0] * 10]
    assert windows.lefts.tolist() == [[2, 0, 4, 0, 4] * 2, [0, 0, 1, 0, 1] * 2]
    assert windows.mirrored.tolist() == [[False] * 5 + [True] * 5] * 2


@pytest.mark.parametrize(("views", "count"), [("single", 1), ("flip", 2), ("ten-crop", 10)])
def test_the_views_of_a_wide_picture(views, count):
    tops, lefts, mirrored = (values[0] for values in view_windows(10, views, np.array([20]), np.array([30])))
    places = [(5, 10), (0, 0), (0, 20), (10, 0), (10, 20)][: max(1, count // 2)]
    assert list(zip(tops, lefts, strict=True)) == (places * 2)[:count]
    assert mirrored.tolist() == ([False] * len(places) + [True] * len(places))[:count]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("place", [(0, 0), (-2, 1), (3, -1), (-3, -3), (4, 5), (9, 9), (-9, 0)])
def test_a_cut_is_the_crop_of_the_padded_picture(place, mirrored):
    picture = np.random.default_rng(0).integers(1, 256, (6, 7, 3), dtype=np.uint8)
    padded = np.pad(picture, ((9, 9), (9, 9), (0, 0)))
    out = np.zeros((4, 4, 3), np.uint8)
    cut(picture, *place, mirrored, out)
    expected = padded[9 + place[0] :, 9 + place[1] :][:4, :4]
    assert np.array_equal(out, expected[:, ::-1] if mirrored else expected)
