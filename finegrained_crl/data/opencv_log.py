"""OpenCV's own lines on standard error, which OpenCV 4 and 5 switch by different names."""

from __future__ import annotations

SILENT, ERRORS = 0, 2
"""Levels of both."""


def set_opencv_log(level: int) -> int:
    """Say what OpenCV tells of itself, in the whole process; the level before."""
    import cv2

    inner = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has the function at the top
    return int(inner.setLogLevel(level))
