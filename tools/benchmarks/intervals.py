"""Do the intervals of a study cover what they say, and how often is a claim false? By simulation.

A simulated study holds what a real one does: people with many photographs each, easy and hard ones; folds in which one
classifier happens to be at home; runs that differ by chance. Whether a picture is recognised is a sum of normal
numbers above a threshold, so the expected figures are known in closed form. Nothing here calls the estimators'
code but the lines that are being tested.

    python tools/benchmark.py intervals --studies 2000 --jobs 2 --out intervals.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from math import erf, exp, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from finegrained_crl.statistics.claims import judge, overlap_corrected
from finegrained_crl.statistics.estimate import Estimate, estimate
from finegrained_crl.statistics.flips import sign_flip_test
from finegrained_crl.statistics.runs import Run
from finegrained_crl.statistics.uncertainty import jackknife_variance

summary = "coverage of the intervals and rate of false claims, on simulated studies"
CUTS = (0.0, 0.8, 1.6)
"""Where a wrong answer is one, two and three groups off, in standard deviations of the latent score."""


@dataclass(frozen=True)
class Design:
    """One cell of the grid.

    Attributes:
        people: held out, over all folds.
        pictures: of them, over all folds.
        folds: 1 or more; each holds out its own people.
        seeds: runs per fold.
        accuracy: expected, in percent.
        run_deviation: of one run's accuracy by chance in training, in points.
        interaction: deviation, from fold to fold, of how well one classifier is at home there, in points.
        uneven: whether people differ much in their number of photographs.
        difference: expected, in points.
    """

    people: int = 352
    pictures: int = 352
    folds: int = 1
    seeds: int = 3
    accuracy: float = 72.0
    run_deviation: float = 1.0
    interaction: float = 0.0
    uneven: bool = False
    difference: float = 0.0


def grid() -> list[Design]:
    """All cells without a difference."""
    split = Design()
    people = [(15, 300), (60, 1760), (300, 5794), (2284, 17500)]
    crossed = Design(people=100, pictures=1760, folds=5)
    cells = [replace(split, seeds=s, run_deviation=d) for s in (1, 2, 3, 5, 10) for d in (0.0, 0.5, 1.0, 2.0)]
    cells += [replace(split, people=5794, pictures=5794, seeds=s, run_deviation=d) for s in (2, 5) for d in (0.5, 1.0)]
    cells += [replace(split, people=p, pictures=n, uneven=u, seeds=5) for p, n in people for u in (False, True)]
    cells += [replace(split, accuracy=a, seeds=5) for a in (20.0, 50.0, 90.0, 97.0)]
    cells += [replace(crossed, seeds=s, interaction=i) for s in (1, 2, 3, 5, 10) for i in (0.0, 1.0, 2.0)]
    cells += [replace(crossed, people=p, pictures=n, uneven=u) for p, n in people for u in (False, True)]
    cells += [replace(crossed, accuracy=a, interaction=1.0) for a in (20.0, 50.0, 90.0, 97.0)]
    cells += [replace(crossed, run_deviation=d, interaction=i) for d in (0.0, 2.0) for i in (0.0, 2.0)]
    return list(dict.fromkeys(cells))


@dataclass(frozen=True)
class Latent:
    """The two classifiers' scores: their mean, and the deviations of all that is added."""

    mean: tuple[float, float]
    person: float
    taste: float
    picture: float
    fold: float
    run: float
    total: float

    def accuracy(self, which: int) -> float:
        """Expected share of pictures above the threshold."""
        return _normal(self.mean[which] / self.total)

    def distance(self, which: int) -> float:
        """Expected distance in groups."""
        return sum(_normal(-(cut + self.mean[which] / self.total)) for cut in CUTS)


def latent_of(design: Design) -> Latent:
    """Scores whose expected accuracy and deviations, in points, are the design's."""
    at = float(ndtri(design.accuracy / 100))
    other = float(ndtri((design.accuracy + design.difference) / 100))
    density = exp(-at * at / 2) / sqrt(2 * pi)  # a deviation of x points is x / 100 / density in the score
    person, taste, picture, noise = 0.6, 0.2, 0.8, 1.0
    shares = [v / 100 / density for v in (design.interaction, design.run_deviation)]
    total = sqrt((person**2 + taste**2 + picture**2 + noise**2) / (1 - sum(share**2 for share in shares)))
    return Latent((other * total, at * total), person, taste, picture, shares[0] * total, shares[1] * total, total)


def simulate(design: Design, latent: Latent, random: np.random.Generator) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """One study: per run its fold, the people's photographs, (c,), and sums, (c, 2 classifiers, 2 figures)."""
    weights = random.lognormal(0, 1.0 if design.uneven else 0.0, design.people)
    sizes = np.maximum(1, np.round(weights / weights.sum() * design.pictures)).astype(int)
    runs = []
    for fold, of_fold in enumerate(np.array_split(sizes, design.folds)):
        owner = np.repeat(np.arange(len(of_fold)), of_fold)
        starts = np.cumsum(of_fold) - of_fold
        shared = latent.person * random.standard_normal((1, len(of_fold)))
        shared = shared + latent.taste * random.standard_normal((2, len(of_fold)))
        shared = shared[:, owner] + latent.picture * random.standard_normal(len(owner))
        shared = shared + latent.fold * random.standard_normal((2, 1)) + np.reshape(latent.mean, (2, 1))
        for _ in range(design.seeds):
            score = random.standard_normal((2, len(owner)), dtype=np.float32)
            score += shared + latent.run * random.standard_normal((2, 1))
            right = np.add.reduceat(score > 0, starts, axis=1, dtype=float)
            off = [np.add.reduceat(score <= -cut * latent.total, starts, axis=1, dtype=float) for cut in CUTS]
            runs.append((str(fold), of_fold.astype(float), np.stack([right, np.sum(off, axis=0)], axis=2)))
    return runs


def try_design(design: Design, studies: int, seed: int = 0) -> dict[str, Any]:
    """Coverage of four figures, and rates of claims by the rule and by the rule that it replaced."""
    latent, random = latent_of(design), np.random.default_rng(seed)
    truths = [latent.accuracy(0), latent.distance(0)]
    gaps = [truths[0] - latent.accuracy(1), truths[1] - latent.distance(1)]
    rows = [_try(simulate(design, latent, random), truths, gaps) for _ in range(studies)]
    return {**asdict(design), "studies": studies, **pd.DataFrame(rows).mean().to_dict()}


def _try(study: list[tuple[str, np.ndarray, np.ndarray]], truths: list[float], gaps: list[float]) -> dict[str, float]:
    names = {len(sizes): np.array([f"p{i:05d}" for i in range(len(sizes))]) for _, sizes, _ in study}
    row = {}
    for column, figure in enumerate(("accuracy", "distance")):
        runs = list(_runs(study, names, column))
        single = estimate([replace(run, baseline=None) for run in runs], scale=("share", "positive")[column])
        paired = estimate(runs)
        row[f"covers_{figure}"] = _covers(single, truths[column])
        row[f"covers_{figure}_difference"] = _covers(paired, gaps[column])
        row[f"claims_{figure}"] = judge([paired], [False], [0.0])[0].verdict in ("better", "worse")
        row[f"old_claims_{figure}"] = _old_rule(runs, paired)
        if column == 0:
            row["labelled"] = bool(paired.not_in_it)
            row["half_width"] = 50 * (paired.high - paired.low)
            row["corrected_half_width"] = 100 * _reach(paired)
    return row


def _reach(one: Estimate) -> float:
    spread = overlap_corrected(one)
    return spread.quantile(0.95) * spread.error if spread.usable else float("nan")


def _covers(one: Estimate, truth: float) -> bool:
    # Without any spread (every fold the same) there is no interval: it is shown as none, and counts as right only where
    # the value is.
    return bool(one.low <= truth <= one.high) if np.isfinite(one.low) else abs(one.value - truth) < 1e-12


def _runs(study: list[tuple[str, np.ndarray, np.ndarray]], names: dict[int, np.ndarray], column: int) -> Iterator[Run]:
    for fold, sizes, sums in study:
        ours, others = (np.stack([sums[which, :, column], sizes], axis=1) for which in (0, 1))
        clusters = (
            np.char.add(f"{fold}/", names[len(sizes)]) if len({f for f, _, _ in study}) > 1 else names[len(sizes)]
        )
        yield Run(fold, clusters, sizes, ours, others)


def _old_rule(runs: list[Run], paired: Estimate) -> bool:
    """People drawn, training taken as fixed, and signs of all pairs of runs flipped as if they were independent."""
    by_fold: dict[str, list[Run]] = {}
    for run in runs:
        by_fold.setdefault(run.fold, []).append(run)
    variances = []
    for of_fold in by_fold.values():
        replicates = [run.without_each(lambda totals: totals[:, 0] / totals[:, 1]) for run in of_fold]
        variances.append(float(jackknife_variance(np.mean(replicates, axis=0))))
    error = sqrt(sum(variances)) / len(by_fold)
    return abs(paired.value) > 1.96 * error and sign_flip_test(paired.per_run).p <= 0.05


def _normal(x: float) -> float:
    return 0.5 * (1 + erf(x / sqrt(2)))


def _job(words: tuple[Design, int, int]) -> dict[str, Any]:
    return try_design(*words)


def main(argv: list[str]) -> int:
    """Try every cell, without a difference and with one, and print a table."""
    parser = argparse.ArgumentParser(prog="tools/benchmark.py intervals", description=summary)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies per cell [2000]")
    parser.add_argument("--power", type=float, default=3.0, help="difference in points to look for [3.0]")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of cells [all]")
    parser.add_argument("--out", type=Path, help="CSV to write")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    cells = [cell for i, cell in enumerate(grid()) if not arguments.only or i in arguments.only]
    wanted = [(cell, arguments.studies, arguments.seed) for cell in cells]
    if arguments.power:
        smaller = max(200, arguments.studies // 4)
        wanted += [(replace(cell, difference=_possible(cell, arguments.power)), smaller, 1) for cell in cells]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        table = pd.DataFrame(pool.map(_job, wanted))
    if arguments.out:
        table.to_csv(arguments.out, index=False)
    print(table.to_json(orient="records") if arguments.json else table.round(3).to_string())
    return 0


def _possible(cell: Design, points: float) -> float:
    """Near 100 % there is no room for so many points."""
    return min(points, (100 - cell.accuracy) / 2)
