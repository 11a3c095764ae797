"""OpenCV is quietened under both of its names for that, where videos are opened and faces are found."""

import cv2
import numpy as np
import pytest

from finegrained_crl.data.opencv_log import ERRORS, SILENT, set_opencv_log
from finegrained_crl.data.video import frames
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces.detector import Detector


@pytest.fixture
def opencv4(monkeypatch):
    """OpenCV 4's name for it; the levels that were set."""
    levels = [3]

    def set_log_level(level):
        levels.append(level)
        return levels[-2]

    monkeypatch.delattr(cv2.utils, "logging", raising=False)
    monkeypatch.setattr(cv2, "setLogLevel", set_log_level, raising=False)
    return levels


def test_the_level_before_is_told():
    before = set_opencv_log(SILENT)
    assert set_opencv_log(ERRORS) == SILENT
    assert set_opencv_log(before) == ERRORS


def test_opencv_4_is_quietened_too(opencv4, tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(FinegrainedError, match="a video without frames"):
        next(frames(str(tmp_path / "no.mp4")))
    assert opencv4 == [3, SILENT]
    assert Detector().find(np.zeros((20, 20, 3), np.uint8)) == []
    assert opencv4 == [3, SILENT, ERRORS, SILENT]
