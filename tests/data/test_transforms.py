"""Augmentation depends on (seed, epoch, row) alone; views are where the protocol says."""

from dataclasses import replace

import numpy as np
import pytest

from finegrained_crl.data.transforms import EvalTransform, ImageSettings, TrainTransform

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
    settings = [ImageSettings(4, "crop", 1.5, 1.5, 1.0, 0, 0, 0, 0, views) for views in ("single", "flip", "ten-crop")]
    single, flip, ten = (EvalTransform(each)(image) for each in settings)
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


PLAIN = ImageSettings(32, "squash", 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, "single")


def many(settings, image, count=200):
    transform = TrainTransform(settings, seed=0)
    return np.stack([transform(image, epoch, 0) for epoch in range(count)])


def test_nothing_is_changed_where_nothing_is_asked(image):
    assert np.array_equal(many(PLAIN, image, 5)[4], EvalTransform(PLAIN)(image)[0])


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
def test_so_many_pictures_are_mirrored(share, image):
    plain = EvalTransform(PLAIN)(image)[0]
    made = many(replace(PLAIN, hflip=share), image)
    mirrored = [np.array_equal(one, plain[:, ::-1]) for one in made]
    assert all(np.array_equal(one, plain) for one, flipped in zip(made, mirrored, strict=True) if not flipped)
    assert np.mean(mirrored) == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
def test_so_many_pictures_are_mirrored_where_pixels_change_too(share):
    ramp = np.repeat(np.linspace(0, 200, 32).astype(np.uint8), 32 * 3).reshape(32, 32, 3).transpose(1, 0, 2)
    made = many(replace(PLAIN, hflip=share, color_jitter=0.01), ramp)
    assert np.mean(made[:, :, 0].mean((1, 2)) > made[:, :, -1].mean((1, 2))) == pytest.approx(share, abs=0.08)


def test_the_seed_moves_plain_crops(image):
    crops = replace(PLAIN, resize_ratio=1.5)
    one, other = (np.stack([TrainTransform(crops, seed)(image, 0, row) for row in range(9)]) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_words_for_a_preparation_are_as_different_as_what_is_done(image):
    settings = replace(PLAIN, resize_ratio=1.5, eval_resize_ratio=2.0)
    for transform, side in ((TrainTransform(settings, 0), 48), (EvalTransform(settings), 64)):
        assert transform.prepared == f"squash {side}"
        assert transform.prepare(image).shape == (side, side, 3)
    cropped = TrainTransform(replace(settings, resize="crop", crop_scale=0.5), 0)
    assert cropped.prepared == "as decoded"
    assert cropped.prepare(image) is image


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_so_many_pictures_have_a_hidden_part(share, image):
    light = np.maximum(image, 1)
    hidden = [(one == 0).all(-1).mean() for one in many(replace(PLAIN, erase=share), light)]
    assert np.mean(np.array(hidden) > 0) == pytest.approx(share, abs=0.09)
    assert max(hidden) <= 0.17


@pytest.mark.parametrize("degrees", [5.0, 40.0])
def test_rotation_is_no_more_than_asked(degrees):
    line = np.zeros((64, 64, 3), np.uint8)
    line[30:34] = 255
    settings = replace(PLAIN, image_size=64, rotate=degrees, rotate_border="black")
    angles = []
    for one in many(settings, line, 60):
        y, x = np.nonzero(one[..., 0] > 127)
        angles.append(abs(np.degrees(np.arctan(np.polyfit(x, y, 1)[0]))))
    assert max(angles) < degrees + 2
    assert max(angles) > 0.7 * degrees


def test_smallest_share_of_a_random_crop():
    ramp = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (100, 1, 3))
    for smallest in (0.3, 0.9):
        shares = [(one.max() - one.min() + 1) / 100 for one in many(replace(PLAIN, crop_scale=smallest), ramp)]
        assert min(shares) > (smallest * 0.75) ** 0.5 - 0.06  # of an area, at a ratio of sides of 3 : 4
        assert min(shares) < smallest**0.5


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_colours_change_no_more_than_asked(strength):
    grey = np.full((40, 40, 3), 100, np.uint8)
    levels = many(replace(PLAIN, color_jitter=strength), grey)[:, 0, 0, 0].astype(float)
    assert abs(levels - 100).max() <= 100 * strength * 1.1 + 2
    assert abs(levels - 100).max() > 60 * strength


@pytest.mark.parametrize(("train", "evaluation"), [(1.0, 1.5), (1.5, 1.0)])
def test_sizes_before_cropping_are_each_their_own(train, evaluation):
    ramp = np.tile(np.arange(120, dtype=np.uint8)[None, :, None], (120, 1, 3))
    settings = replace(PLAIN, resize="crop", resize_ratio=train, eval_resize_ratio=evaluation)
    spans = [int(one.max()) - int(one.min()) for one in (many(settings, ramp, 1)[0], EvalTransform(settings)(ramp)[0])]
    assert spans == [pytest.approx(120 / ratio, abs=6) for ratio in (train, evaluation)]


def test_padding_moves_a_picture_by_so_many_pixels_over_black():
    dot = np.full((20, 20, 3), 50, np.uint8)
    dot[10, 10] = 250
    shown = many(replace(PLAIN, image_size=20, resize="crop", resize_ratio=1.0, pad=3), dot, 300)
    moves = {tuple(int(place) - 10 for place in np.argwhere(one[..., 0] == 250)[0]) for one in shown}
    assert moves == {(down, right) for down in range(-3, 4) for right in range(-3, 4)}
    assert {int(value) for one in shown for value in np.unique(one)} == {0, 50, 250}


@pytest.mark.parametrize(
    ("resize", "ratio", "crop_scale", "least"),
    [("crop", 1.25, 1.0, 40), ("squash", 1.0, 0.3, 32), ("crop", 1.0, 0.25, 74), ("crop", 1.0, 0.08, 131)],
)
def test_reduced_decoding_keeps_what_is_cut(resize, ratio, crop_scale, least):
    """A random resized crop of 1/4 of the area, 3 : 4 in form, has 0.433 of the short side: 32 of 74 pixels."""
    settings = ImageSettings(32, resize, ratio, 1.0, crop_scale, 0, 0, 0, 0, "single", reduced_decoding=True)
    assert TrainTransform(settings, 0).least_side == least
    assert EvalTransform(settings).least_side is None
    whole = replace(settings, reduced_decoding=False)
    assert TrainTransform(whole, 0).least_side is None
    assert TrainTransform(whole, 0).prepared != TrainTransform(settings, 0).prepared
