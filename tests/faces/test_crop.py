"""A crop shows the face upright, at its scale, with its margin; and the ways of asking for nonsense."""

import math

import numpy as np
import pytest
from drawn_faces import drawn_face, photograph

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.crop import FaceCrop, crop_from_dict
from finegrained_crl.faces.detector import Detector
from finegrained_crl.faces.face import Face, tilt

UPRIGHT = np.float32([(-20, -15), (20, -15), (0, 5), (-15, 25), (15, 25)])


def face(centre=(100, 80), side=60, degrees=0.0, landmarks=UPRIGHT):
    """A face at a place, leaning clockwise."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = (landmarks @ turn.T + centre).astype(np.float32)
    return Face((centre[0] - side / 2, centre[1] - side / 2, side, side), 0.9, points)


@pytest.mark.parametrize("degrees", [0, 30, -45, 90, 179, -120])
def test_tilt_is_told_clockwise(degrees):
    assert tilt(face(degrees=degrees)) == pytest.approx(degrees, abs=1e-3)


def test_the_eyes_of_a_profile_do_not_turn_it():
    profile = UPRIGHT.copy()
    profile[:2] = [(10, -15), (11, -12)]  # together, and one a little lower: an angle of 70 degrees
    profile[3:] = [(9, 25), (10, 25)]
    assert abs(tilt(face(landmarks=profile))) < 10


def test_without_scaling_a_crop_is_a_piece_of_the_photograph():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    crop = FaceCrop(margin=0.5, size=120).cut(pixels, face((150, 100), 60))
    assert np.array_equal(crop, pixels[40:160, 90:210])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_face_gives_the_same_crop(turns):
    pixels = np.random.default_rng(0).integers(0, 256, (201, 201, 3), dtype=np.uint8)
    upright = FaceCrop(margin=0.25, size=90).cut(pixels, face((100.5, 100.5), 60))
    turned = FaceCrop(margin=0.25, size=90).cut(
        np.ascontiguousarray(np.rot90(pixels, turns)), face((100.5, 100.5), 60, -90 * turns)
    )
    assert np.abs(upright.astype(int) - turned).max() <= 1


def test_beyond_the_photograph_its_last_pixels_go_on():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    crop = FaceCrop(margin=0.5, size=80).cut(pixels, face((10, 50), 40))
    assert np.array_equal(crop[:, 30:], pixels[10:90, :50])
    assert np.array_equal(crop[:, :30], np.repeat(pixels[10:90, :1], 30, axis=1))


def test_a_large_face_does_not_alias():
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
    crop = FaceCrop(margin=0, size=100).cut(pixels, face((1000, 1000), 1600))
    assert crop.std() < pixels.std() / 12  # of 16 x 16 pixels the mean


def test_a_face_in_a_picture_of_too_many_pixels_a_side_for_opencv():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 33700, 3), dtype=np.uint8)
    crop = FaceCrop(margin=0, size=60).cut(pixels, face((33500, 50), 60))
    assert np.array_equal(crop, pixels[20:80, 33470:33530])


def test_a_detected_face_stands_upright_in_its_crop():
    pixels = np.ascontiguousarray(np.rot90(photograph([(100, 60, 200)], (320, 400)), 1))
    (found,) = [found for found in Detector().find(pixels) if found.score >= 0.8]
    (again,) = [found for found in Detector().find(FaceCrop().cut(pixels, found)) if found.score >= 0.8]
    assert abs(tilt(again)) < 5
    assert again.size == pytest.approx(320 / 1.8, rel=0.1)
    assert again.box[0] + again.box[2] / 2 == pytest.approx(160, abs=12)


def test_who_is_taken():
    crop = FaceCrop(min_score=0.9, min_size=60)
    assert crop.refused(face(side=60)) == ""
    assert crop.refused(face(side=59)) == "59 px, smaller than 60"
    assert crop.refused(face()._replace(score=0.89)) == "score 0.89 below 0.9"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"margin": -0.1}, "--margin must be from 0 to 3, got -0.1"),
        ({"margin": math.nan}, "--margin must be from 0 to 3, got nan"),
        ({"size": 8}, "--size must be from 16 to 4096, got 8"),
        ({"min_score": 1}, "--min-score must be from 0.5 to 0.99, got 1"),
        ({"min_size": 0}, "--min-size must be from 10 to 8192, got 0"),
    ],
)
def test_nonsense_is_refused(how, told):
    with pytest.raises(FinegrainedError, match=told):
        FaceCrop(**how)


def test_a_crop_is_kept_as_plain_values():
    crop = FaceCrop(0.3, 128, 0.7, 50)
    assert crop_from_dict(crop.as_dict()) == crop
    for broken in ({"margin": 0.3, "colour": 1}, [1], {"margin": "wide"}):
        with pytest.raises(FinegrainedError, match="no way to cut out faces"):
            crop_from_dict(broken)


def test_drawn_faces_are_faces():
    assert all(Detector().find(drawn_face(number, 160)) for number in range(4))
