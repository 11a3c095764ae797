"""Frames of a video, by number; and what is said where there are none."""

import cv2
import numpy as np
import pytest

from finegrained_crl.data import video
from finegrained_crl.data.video import frames, is_stream
from finegrained_crl.errors import FinegrainedError


@pytest.fixture
def clip(tmp_path):
    """Nine frames: red rises by 20 per frame, blue is 100."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 64))
    for i in range(9):
        writer.write(np.full((64, 64, 3), (100, 0, 20 * i), np.uint8))
    writer.release()
    return str(path)


@pytest.mark.parametrize(
    ("every", "most", "numbers"), [(1, None, range(9)), (4, None, (0, 4, 8)), (2, 3, (0, 2, 4)), (100, 5, (0,))]
)
def test_frames_come_by_number_in_rgb(clip, every, most, numbers):
    items = list(frames(clip, every=every, most=most))
    assert [item.name for item in items] == [f"{clip}#{number}" for number in numbers]
    reds = [item.picture[..., 0].mean() for item in items]
    assert np.allclose(reds, [20 * number for number in numbers], atol=6)
    assert all(abs(item.picture[..., 2].mean() - 100) < 6 for item in items)
    assert items[0].picture.shape == (64, 64, 3)


def test_a_file_that_is_no_video_is_one_line(tmp_path, capfd):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "empty.avi").touch()
    for name in ("bad.mp4", "empty.avi"):
        with pytest.raises(FinegrainedError, match=f"{name}: a video without frames"):
            list(frames(str(tmp_path / name)))
    with pytest.raises(FinegrainedError, match=r"absent\.mp4: no such video"):
        list(frames(str(tmp_path / "absent.mp4")))
    assert capfd.readouterr() == ("", "")


def test_a_video_that_opens_and_has_no_frame_is_one_line(clip, monkeypatch):
    monkeypatch.setattr(video, "_next", lambda capture, wanted: None)
    with pytest.raises(FinegrainedError, match=r"clip\.avi: a video without frames"):
        list(frames(clip))


def test_a_camera_that_is_not_there_is_one_line(capfd):
    with pytest.raises(FinegrainedError, match="camera:97: no picture comes from it; is the camera plugged in"):
        list(frames("camera:97"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("given", "answer"), [("a.MOV", True), ("camera:12", True), ("camera:x", False), ("mp4", False)]
)
def test_what_a_stream_is(given, answer):
    assert is_stream(given) is answer
