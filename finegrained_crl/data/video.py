"""Frames of a video file or a camera, through OpenCV."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.data.opencv_log import SILENT, set_opencv_log
from finegrained_crl.data.picture_source import item_name
from finegrained_crl.data.reading import Item
from finegrained_crl.data.regular import is_regular
from finegrained_crl.errors import FinegrainedError

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its reader looks when it is first used, and never again
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"})
CAMERA = re.compile(r"camera:(\d{1,3})")


def is_stream(given: str) -> bool:
    """Whether an argument means a video file or a camera.

    >>> is_stream("clip.MP4"), is_stream("camera:0"), is_stream("photo.jpg")
    (True, True, False)
    """
    return is_camera(given) or Path(given).suffix.lower() in VIDEO_SUFFIXES


def is_camera(given: str) -> bool:
    """Whether an argument means a camera, `camera:NUMBER`."""
    return CAMERA.fullmatch(given) is not None


def frames(source: str, *, every: int = 1, most: int | None = None) -> Iterator[Item]:
    """Frames of a video or camera, each called `SOURCE#NUMBER`, counted from 0.

    Args:
        source: a file, or `camera:NUMBER`.
        every: take every N-th frame.
        most: end after so many; None: with the video.
    Raises:
        FinegrainedError: no such file or camera, or not one frame.
    """
    capture = _open(source)
    number = taken = 0
    try:
        while most is None or taken < most:
            wanted = number % every == 0
            frame = _next(capture, wanted)
            if frame is None:
                break
            if wanted:
                yield Item(np.ascontiguousarray(frame[..., ::-1]), item_name(source, number))
                taken += 1
            number += 1
    finally:
        capture.release()
    if not number:
        raise FinegrainedError(_nothing(source))


def _next(capture: Any, wanted: bool) -> np.ndarray | None:
    """The next frame, uint8 (height, width, 3) in BGR; an empty one that is passed over undecoded; None at the end."""
    if wanted:
        there, frame = capture.read()
        return frame if there else None
    return np.zeros((0, 0, 3), np.uint8) if capture.grab() else None


def _open(source: str) -> Any:
    cv2 = _quiet_opencv()
    camera = CAMERA.fullmatch(source)
    if camera is None and not is_regular(Path(source)):
        raise FinegrainedError(f"{source}: no such video")
    # An absolute path: the reader takes names such as `concat:` for instructions.
    capture = cv2.VideoCapture(int(camera[1]) if camera else os.path.abspath(source))
    if not capture.isOpened():
        capture.release()
        raise FinegrainedError(_nothing(source))
    return capture


def _nothing(source: str) -> str:
    if is_camera(source):
        return f"{source}: no picture comes from it; is the camera plugged in, and free?"
    return f"{source}: a video without frames, or of a kind that OpenCV does not read; play it, or convert it to .mp4"


def _quiet_opencv() -> Any:
    """OpenCV, its own lines on standard error switched off: an error here is one line of ours."""
    import cv2

    set_opencv_log(SILENT)
    return cv2
