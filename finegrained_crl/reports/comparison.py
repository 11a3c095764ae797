"""Runs side by side: one table of what they reached, read from their folders alone."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.run_folder import RunFolder

METRICS = ("top1_accuracy", "mean_class_accuracy", "ece")


def compare_runs(folders: list[Path]) -> list[dict[str, Any]]:
    """The headline metrics of finished runs.

    Args:
        folders: run folders.
    Returns:
        one row per run: run, loss, seed, num_images, top1_accuracy, mean_class_accuracy, ece, epochs, train_seconds.
    Raises:
        FinegrainedError: an unfinished run, or runs whose test parts differ, which no table should put side by side.
    """
    runs = [(folder, RunFolder(folder).read_results()) for folder in folders]
    prints = {results["data"]["fingerprint"]["digest"] for _, results in runs}
    protocols = {results["protocol"]["evaluated_on"] for _, results in runs}
    if len(prints) > 1 or len(protocols) > 1:
        names = ", ".join(map(str, folders))
        raise FinegrainedError(
            f"the runs {names} were evaluated on different data: compare runs of one data set and split"
        )
    return [_row(folder, results) for folder, results in runs]


def read_epochs(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's epochs.csv as numbers; empty cells and the stage's name are left out.

    Raises:
        FinegrainedError: no such file, or a damaged one.
    """
    path = RunFolder(folder).epochs
    if not path.is_file():
        raise FinegrainedError(
            f"{folder} holds no finished epoch (no {path.name}): give the folder named by --out of fgcrl finetune"
        )
    try:
        content = read_regular(RunFolder(folder).checked(path))
        lines = list(csv.DictReader(content.decode("utf-8").splitlines()))
        return [_numbers(line) for line in lines]
    except (ValueError, TypeError, csv.Error) as error:
        raise FinegrainedError(f"{path} is damaged ({error}): restore it from a copy") from None


def _numbers(line: dict[str, str]) -> dict[str, float]:
    return {key: float(value) for key, value in line.items() if value != "" and key != "stage"}


def _row(folder: Path, results: dict[str, Any]) -> dict[str, Any]:
    which = "selected_on_validation" if results["headline"] == "selected" else "last"
    test = results["metrics"][which]["test"]
    epochs = read_epochs(folder)
    return {
        "run": str(folder),
        "loss": results["loss"]["name"],
        "seed": results["seed"],
        "num_images": test["num_images"],
        **{name: test[name] for name in METRICS},
        "epochs": results["epochs_run"],
        "train_seconds": sum(row["seconds"] for row in epochs),
    }
