"""How long `fgcrl report` takes on a study of many pictures and classes, and how much memory.

    python tools/benchmark.py report                                   # 10,000 pictures, 101 ordered classes
    python tools/benchmark.py report --pictures 5794 --classes 200 --plain
    python tools/benchmark.py report --pictures 17000 --classes 8 --variants 3 --seeds 3
    python tools/benchmark.py report --pictures 2000 --classes 8 --variants 28 --seeds 10

The study is drawn from a seed: variants over five folds, weights of the last epoch and those selected on validation, no
subject known, so that every picture is a cluster of its own (the dearest case).
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.metrics.catalogue import all_figures, make_scores
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.run_folder import FORMAT, RunFolder

summary = "time and memory of `fgcrl report` on a large study"
FOLDS = (0, 1, 2, 3, 4)
PARTS = {"test": 1.0, "val": 0.25}
"""Pictures of a part, as a share of the fold's."""


def main(argv: list[str]) -> int:
    """Draw a study, report on it in a process of its own, print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000, help="held-out pictures of all folds [10000]")
    parser.add_argument("--classes", type=int, default=101)
    parser.add_argument("--variants", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="classes without an order")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        strengths = {"ce": 2.0, **{f"crl loss.alpha={i}": 2.0 + 0.05 * i for i in range(1, asked.variants)}}
        target, seeds = Path(folder) / "study", list(range(asked.seeds))
        study = make_study(target, strengths, seeds, asked.pictures, asked.classes, ordered=not asked.plain)
        seconds, of_cpu, mebibytes = measure(study)
        page = (study / "report.html").stat().st_size / 2**20
    kind = "classes" if asked.plain else "ordered classes"
    took = f"{seconds:.1f} s ({of_cpu:.1f} s of CPU), {mebibytes:.0f} MiB"
    size = f"{len(strengths)} variants, {asked.seeds} seeds"
    print(f"{asked.pictures} pictures, {asked.classes} {kind}, {size}: {took}; page {page:.2f} MiB")
    return 0


def measure(study: Path) -> tuple[float, float, float]:
    """Wall time, CPU time and largest memory of `fgcrl report`, in seconds and MiB."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "finegrained_crl", "report", str(study), "--json"]
    with open(os.devnull, "wb") as nothing:
        redirect = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = os.posix_spawn(sys.executable, command, environment, file_actions=redirect)
        _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit("the report failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, _mebibytes(usage)


def _mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def make_study(
    folder: Path, strengths: dict[str, float], seeds: list[int], pictures: int, classes: int, *, ordered: bool = True
) -> Path:
    """A study as `fgcrl crossval` would leave it, its predictions drawn."""
    place = StudyFolder(folder)
    recipes = {name: Recipe(data="drawn", loss=Component(name.split(" ")[0])) for name in strengths}
    for cell in place.write(Study(recipes, list(FOLDS), seeds, threads=1)).cells:
        strength = strengths[cell.variant] + 0.01 * cell.seed
        frame = _predictions(cell.fold or 0, strength, pictures // len(FOLDS), classes)
        _write_cell(place.run(cell), cell.recipe, frame, _results(frame, classes, ordered=ordered))
    return folder


def _predictions(fold: int, strength: float, pictures: int, classes: int) -> pd.DataFrame:
    fixed, noise = np.random.default_rng(fold), np.random.default_rng([fold, int(100 * strength)])
    tables = []
    for part, share in PARTS.items():
        labels = fixed.integers(0, classes, round(share * pictures))
        for weights in ("last", "selected"):
            distance = np.abs(np.arange(classes) - labels[:, None])
            logits = (strength * np.exp(-distance / 3) + noise.normal(size=distance.shape)).astype(np.float32)
            names = [f"{part}{fold}/{i}.jpg" for i in range(len(labels))]
            columns = {"id": names, "path": names, "label": labels, "part": part, "weights": weights}
            tables.append(pd.DataFrame(columns).assign(logits=list(logits)))
    return pd.concat(tables, ignore_index=True)


def _results(frame: pd.DataFrame, classes: int, *, ordered: bool) -> dict[str, Any]:
    metrics = {}
    for key, weights in (("last", "last"), ("selected_on_validation", "selected")):
        test = frame[(frame["part"] == "test") & (frame["weights"] == weights)]
        scores = make_scores(np.stack(test["logits"].to_list()), test["label"].to_numpy(), "argmax")
        metrics[key] = {"test": all_figures(scores, ordered=ordered)}
    protocol = {"text": "drawn", "policy": "", "denominator": len(test), "views": "single", "validation": "drawn"}
    sizes = {"train": 4 * len(test), "val": len(test) // 4, "test": len(test)}
    data = {"ordered": ordered, "subgroups": [], "dropped": {}, "fingerprint": {"digest": "drawn"}, **sizes}
    who = {"dataset": {"name": "drawn"}, "method": {"name": "none"}, "backbone": "none", "weights": []}
    names = [str(number) for number in range(classes)]
    what = {"metrics": metrics, "protocol": protocol, "class_names": names, "data": data, "oracle_on_test": None}
    return {"format": FORMAT, "headline": "last", **who, **what, "versions": {"python": "3"}}


def _write_cell(run: RunFolder, recipe: Recipe, frame: pd.DataFrame, results: dict[str, Any]) -> None:
    run.folder.mkdir(parents=True)
    run.recipe.write_text(yaml.safe_dump(recipe.as_dict()))
    frame.to_parquet(run.predictions)
    run.results.write_text(json.dumps(results))
    run.commit()
