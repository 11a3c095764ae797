"""`python tools/benchmark.py faces`: how many known faces are found, and how far landmarks lie from other detectors'.

The landmarks of no detector are the truth, and these sets have none drawn by hand: what is told is how far two
detectors that were trained on different pictures lie apart, in shares of the distance between the eyes.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from finegrained_crl.faces.detector import Detector

summary = "faces: share found by group, landmarks beside other detectors' (tools/benchmarks/faces_second.py)"
POINTS = ("left_eye", "right_eye", "nose", "mouth")
COLUMNS = [f"{point}_{axis}" for point in POINTS for axis in "xy"]
GROUPS = ("age_group", "gender", "race")
TURNS = {"on its side": 1, "upside down": 2}


def main(argv: list[str]) -> int:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(prog="benchmark.py faces", description=summary)
    parser.add_argument("folders", nargs="+", type=Path, help="each with images/ and labels.csv")
    parser.add_argument("--second", type=Path, help="what faces_second.py wrote")
    parser.add_argument("--no-faces", type=Path, nargs="*", default=[], help="folders of pictures without a face")
    parser.add_argument("--min-score", type=float, default=0.8)
    parsed = parser.parse_args(argv)
    second = pd.read_csv(parsed.second) if parsed.second else pd.DataFrame({"detector": [], "file": [], "score": []})
    found = {folder.name: _found(folder) for folder in parsed.folders}
    for name, table in found.items():
        _tell_rates(name, table, second, parsed.min_score)
        _tell_distances(name, table, second, parsed.min_score)
    for folder in parsed.no_faces:
        pictures = [_best(path) for path in sorted(folder.rglob("*.[jJ][pP]*[gG]"))]
        count = sum(row["score"] >= parsed.min_score for row in pictures)
        print(f"\n{folder.name}: a face in {count} of {len(pictures)} pictures")
    return 0


def _found(folder: Path) -> pd.DataFrame:
    """The labels of a set with what the detector says of each picture, as it stands and turned."""
    labels = pd.read_csv(folder / "labels.csv")
    labels["file"] = [str(folder / "images" / name) for name in labels["filename"]]
    began = time.process_time()
    own = pd.DataFrame([_best(Path(file)) for file in labels["file"]])
    seconds = time.process_time() - began
    print(f"\n## {folder.name}: {len(labels)} pictures, {1000 * seconds / len(labels):.1f} ms of CPU each, decoded too")
    for how, turns in TURNS.items():
        turned = pd.DataFrame([_best(Path(file), turns) for file in labels["file"]])
        own[how] = turned["score"]
        own[f"{how}, upright in the crop"] = np.abs((turned["tilt"] - own["tilt"] + 90 * turns + 180) % 360 - 180) < 20
    return pd.concat([labels, own], axis=1)


@functools.cache
def _detector() -> Detector:
    from finegrained_crl.faces.detector import Detector

    return Detector()


def _best(path: Path, turns: int = 0) -> dict[str, float]:
    """Score, tilt and points of the face with the highest score."""
    from finegrained_crl.data.images import read_image
    from finegrained_crl.faces.face import tilt

    faces = _detector().find(np.ascontiguousarray(np.rot90(read_image(path, convert=True), turns)))
    if not faces:
        return {"score": 0.0, "tilt": np.nan}
    face = max(faces, key=lambda face: face.score)
    mouth = face.landmarks[3:].mean(axis=0)
    points = np.array([*face.landmarks[:3], mouth]).ravel().tolist()
    return {"score": face.score, "tilt": tilt(face)} | dict(zip(COLUMNS, points, strict=True))


def _tell_rates(name: str, table: pd.DataFrame, second: pd.DataFrame, least: float) -> None:
    shares = {"as it stands": table["score"] >= least}
    for how in TURNS:
        shares[how] = table[how] >= least
        shares[f"{how}, upright in the crop"] = table[f"{how}, upright in the crop"]
    for detector, rows in second.groupby("detector", sort=False):
        score = table["file"].map(dict(zip(rows["file"], rows["score"], strict=True)))
        shares[str(detector)] = score >= 0.5
    print(f"\n| {name} | pictures | {' | '.join(shares)} |\n|---|---|{'---|' * len(shares)}")
    for group, rows in _groups(table):
        told = " | ".join(f"{100 * share[rows].mean():.1f} %" for share in shares.values())
        print(f"| {group} | {rows.sum()} | {told} |")
    missed = table.loc[~shares["as it stands"], "filename"].tolist()
    print(f"\nnot found as it stands: {', '.join(missed) or 'none'}")


def _groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    yield "all", pd.Series(True, index=table.index)
    for column in GROUPS:
        for value in sorted(table[column].unique()) if column in table else []:
            yield f"{column} {value}", table[column] == value


def _tell_distances(name: str, table: pd.DataFrame, second: pd.DataFrame, least: float) -> None:
    """How far points of each pair of detectors lie apart."""
    said = {"yunet": table[table["score"] >= least].set_index("file")}
    for detector, rows in second.groupby("detector", sort=False):
        if rows["nose_x"].notna().any():
            said[str(detector)] = rows[rows["score"] >= 0.5].set_index("file")
    names = list(said)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            both = said[one].index.intersection(said[other].index).intersection(table["file"])
            if len(both):
                _tell_pair(f"{name}, {one} and {other}", said[one].loc[both], said[other].loc[both])


def _tell_pair(title: str, one: pd.DataFrame, other: pd.DataFrame) -> None:
    mine, theirs = (np.stack([said[[f"{p}_x", f"{p}_y"]].to_numpy() for p in POINTS], axis=1) for said in (one, other))
    between_eyes = (_apart(mine[:, 0], mine[:, 1]) + _apart(theirs[:, 0], theirs[:, 1])) / 2
    distances = _apart(mine, theirs) / between_eyes[:, None]
    print(f"\n| {title} ({len(one)}) | mean | median | 95th percentile |\n|---|---|---|---|")
    for place, point in enumerate((*POINTS, "all four")):
        values = distances[:, place] if place < len(POINTS) else distances.mean(axis=1)
        print(f"| {point} | {values.mean():.3f} | {np.median(values):.3f} | {np.percentile(values, 95):.3f} |")


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(one - other, axis=-1))
