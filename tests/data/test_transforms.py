"""Augmentation depends on (seed, epoch, row) alone; views are where the protocol says."""

import numpy as np
import pytest

from finegrained_crl.data.transforms import EvalTransform, ImageSettings, TrainTransform, cut_views

SETTINGS = ImageSettings(32, "crop", 1.25, 1.25, 0.5, 0.5, 10.0, 0.3, 0.5, "single")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def test_same_key_same_picture_whatever_came_before(image):
    transform = TrainTransform(SETTINGS, seed=3)
    first = transform(image, epoch=1, row=5)
    for row in range(4):
        transform(image, epoch=0, row=row)
    assert np.array_equal(transform(image, epoch=1, row=5), first)
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8


@pytest.mark.parametrize("other", [(4, 1, 5), (3, 2, 5), (3, 1, 6)])
def test_seed_epoch_and_row_each_matter(other, image):
    seed, epoch, row = other
    assert not np.array_equal(
        TrainTransform(SETTINGS, seed)(image, epoch, row), TrainTransform(SETTINGS, 3)(image, 1, 5)
    )


@pytest.mark.parametrize("resize", ["crop", "squash"])
@pytest.mark.parametrize("crop_scale", [0.3, 1.0])
@pytest.mark.parametrize("shape", [(50, 70, 3), (20, 90, 3), (8, 8, 3)])
def test_any_picture_becomes_the_asked_size(resize, crop_scale, shape):
    settings = ImageSettings(24, resize, 1.143, 1.0, crop_scale, 0.5, 0.0, 0.0, 0.0, "ten-crop")
    image = np.zeros(shape, np.uint8)
    assert TrainTransform(settings, 0)(image, 0, 0).shape == (24, 24, 3)
    assert EvalTransform(settings)(image).shape == (10, 24, 24, 3)


def test_squash_shows_the_whole_picture_and_crop_does_not(image):
    image[:, :8], image[:, -8:] = 255, 255
    image[:, 8:-8] = 0
    squash = ImageSettings(32, "squash", 1.0, 1.0, 1.0, 0, 0, 0, 0, "single")
    crop = ImageSettings(32, "crop", 1.0, 1.0, 1.0, 0, 0, 0, 0, "single")
    assert EvalTransform(squash)(image)[0][16, 0].min() == 255
    assert EvalTransform(crop)(image)[0].max() == 0


def test_views_are_centre_corners_and_mirror_images():
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    single, flip, ten = (cut_views(image, 4, views) for views in ("single", "flip", "ten-crop"))
    assert [len(v) for v in (single, flip, ten)] == [1, 2, 10]
    assert np.array_equal(single[0], image[1:5, 2:6])
    assert np.array_equal(flip[1], image[1:5, 2:6][:, ::-1])
    corners = [image[:4, :4], image[:4, 4:], image[2:, :4], image[2:, 4:]]
    assert all(np.array_equal(a, b) for a, b in zip(ten[1:5], corners, strict=True))
    assert all(np.array_equal(ten[i + 5], ten[i][:, ::-1]) for i in range(5))


@pytest.mark.parametrize(("border", "darkest"), [("reflect", 200), ("black", 0)])
def test_a_rotations_corners_are_mirrored_or_black(border, darkest):
    settings = ImageSettings(32, "squash", 1.0, 1.0, 1.0, 0, 45.0, 0, 0, "single", border)
    turned = [TrainTransform(settings, 0)(np.full((32, 32, 3), 200, np.uint8), 0, row) for row in range(6)]
    assert min(picture.min() for picture in turned) == darkest
    assert all(picture[16, 16].min() == 200 for picture in turned)
