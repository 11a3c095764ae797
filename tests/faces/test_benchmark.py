"""`python tools/benchmark.py faces` counts what it says it counts."""

import numpy as np
import pandas as pd
from drawn_faces import drawn_face
from PIL import Image
from tool_scripts import needs_tools, run_benchmark

from finegrained_crl.faces.detector import Detector


@needs_tools
def test_rates_by_group_and_distances_in_shares_of_the_eyes(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    pictures = {"a.png": drawn_face(0), "b.png": drawn_face(1), "c.png": np.zeros((60, 60, 3), np.uint8)}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / "set" / "images" / name)
    labels = pd.DataFrame({"filename": list(pictures), "gender": ["m", "f", "m"]})
    labels.to_csv(tmp_path / "set" / "labels.csv", index=False)
    rows = []
    for name in ("a.png", "b.png"):
        face = Detector().find(pictures[name])[0]
        eyes = np.linalg.norm(face.landmarks[1] - face.landmarks[0])
        points = np.array([*face.landmarks[:3], face.landmarks[3:].mean(axis=0)])
        points[2, 0] += 0.2 * eyes  # the nose
        rows.append(
            ["other", str(tmp_path / "set" / "images" / name), 0.9 if name == "a.png" else 0.4, *points.ravel()]
        )
    named = [f"{point}_{axis}" for point in ("left_eye", "right_eye", "nose", "mouth") for axis in "xy"]
    pd.DataFrame(rows, columns=["detector", "file", "score", *named]).to_csv(tmp_path / "second.csv", index=False)
    done = run_benchmark("faces", str(tmp_path / "set"), "--second", str(tmp_path / "second.csv"))
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert "| all | 3 | 66.7 % | 66.7 % | 66.7 % | 66.7 % | 66.7 % | 33.3 % |" in lines
    assert "| gender m | 2 | 50.0 % | 50.0 % | 50.0 % | 50.0 % | 50.0 % | 50.0 % |" in lines
    assert "not found as it stands: c.png" in lines
    assert "| set, yunet and other (1) | mean | median | 95th percentile |" in lines
    assert "| nose | 0.200 | 0.200 | 0.200 |" in lines
    assert "| left_eye | 0.000 | 0.000 | 0.000 |" in lines
    assert "| all four | 0.050 | 0.050 | 0.050 |" in lines
