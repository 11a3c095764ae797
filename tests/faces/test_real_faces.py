"""On photographs of people: every face is found, whichever way up, and stands upright in its crop."""

import numpy as np
import pytest

from finegrained_crl.data.images import read_image
from finegrained_crl.faces.crop import FaceCrop
from finegrained_crl.faces.detector import Detector
from finegrained_crl.faces.face import tilt

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def pictures(shared_data):
    files = sorted((shared_data / "fgnet_subset" / "images").glob("*.JPG"))
    assert len(files) == 55
    return [read_image(path) for path in files]


def best(pixels, least=0.8):
    found = [face for face in Detector().find(np.ascontiguousarray(pixels)) if face.score >= least]
    return max(found, key=lambda face: face.score, default=None)


def test_every_face_of_fgnet_is_found(pictures):
    assert sum(best(pixels) is not None for pixels in pictures) == 55


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photographs_end_upright(pictures, turns):
    for pixels in pictures[::8]:
        upright, turned = best(pixels), best(np.rot90(pixels, turns))
        assert abs((tilt(turned) - tilt(upright) + 90 * turns + 180) % 360 - 180) < 20
        one = FaceCrop(size=64).cut(pixels, upright).astype(int)
        other = FaceCrop(size=64).cut(np.ascontiguousarray(np.rot90(pixels, turns)), turned).astype(int)
        assert np.abs(one - other).mean() < 25


def test_thirty_people_on_one_wall(pictures):
    wall = np.full((2600, 3000, 3), 128, np.uint8)
    for place, pixels in enumerate(pictures[:30]):
        upper, left = 520 * (place // 6), 500 * (place % 6)
        cut = pixels[:500, :480]
        wall[upper : upper + cut.shape[0], left : left + cut.shape[1]] = cut
    found = [face for face in Detector().find(wall) if face.score >= 0.8]
    places = {(int(face.landmarks[2, 0] // 500), int(face.landmarks[2, 1] // 520)) for face in found}
    assert len(places) == 30
    assert len(found) <= 31
