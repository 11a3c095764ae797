"""Do the intervals cover on real runs? A study's own runs and pictures, drawn again and again.

    python tools/benchmark.py resample studies/evidence/cars27 --runs 3 5 10

All runs of two variants on one split, with all their pictures, are taken for the population: its mean difference is the
truth. Studies of a few runs and as many pictures are drawn from it with replacement, and their intervals looked at. It
is a check against wishful simulation: whatever real training does to pictures is in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from finegrained_crl.crossval.collect import collect
from finegrained_crl.metrics.catalogue import order_of, primary_figure
from finegrained_crl.metrics.totals import with_count
from finegrained_crl.reports.nested import choose_settings
from finegrained_crl.reports.paired import find_baselines, pair_up
from finegrained_crl.reports.parts import grouped, read_parts
from finegrained_crl.statistics.claims import judge
from finegrained_crl.statistics.estimate import estimate
from finegrained_crl.statistics.runs import Run

summary = "coverage of the intervals on the runs of a real study, drawn again"


def hits_of(folder: Path, variant: str | None) -> tuple[str, str, np.ndarray]:
    """Whether each run of two variants is right on each picture.

    Returns:
        variant, baseline, bool (2, runs, pictures).
    """
    collected = collect(folder)
    order = order_of(next(iter(collected.results.values()))["data"])
    parts = list(read_parts(collected, None))
    if collected.study.select:
        parts, _ = choose_settings(parts, collected.study.select, primary_figure(**order))
    groups = {group[0].cell.variant: group for group in grouped(parts)}
    baselines = find_baselines(list(groups))
    chosen = variant or next(name for name in groups if baselines[name] != name)
    if chosen not in groups:
        raise SystemExit(f"no variant '{chosen}' in {folder}: {', '.join(groups)}")
    pairs = pair_up(groups[chosen], groups[baselines[chosen]])
    rows = [[part.scores.predicted == part.scores.labels for part in pair] for pair in pairs]
    return chosen, baselines[chosen], np.array(rows).transpose(1, 0, 2)


def coverage(hits: np.ndarray, runs: int, studies: int) -> dict[str, float]:
    """Draw studies of so many runs; how often the interval holds the population's difference."""
    population = hits.astype(float)
    truth = population[0].mean() - population[1].mean()
    random, pictures = np.random.default_rng(0), hits.shape[2]
    names, ones = np.char.zfill(np.arange(pictures).astype(str), 6), np.ones(pictures)
    inside, claimed = 0, 0
    for _ in range(studies):
        seeds = random.integers(0, hits.shape[1], runs)
        rows = random.integers(0, pictures, pictures)
        drawn = population[:, seeds][:, :, rows]
        one = estimate([Run("0", names, ones, with_count(drawn[0, k]), with_count(drawn[1, k])) for k in range(runs)])
        inside += one.low <= truth <= one.high
        claimed += judge([one], [False], [0.0])[0].verdict in ("better", "worse")
    return {"runs": runs, "truth": 100 * truth, "covers": inside / studies, "claims": claimed / studies}


def main(argv: list[str]) -> int:
    """Draw, and print a line per number of runs."""
    parser = argparse.ArgumentParser(prog="tools/benchmark.py resample", description=summary)
    parser.add_argument("study", type=Path)
    parser.add_argument("--variant")
    parser.add_argument("--runs", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    variant, baseline, hits = hits_of(asked.study, asked.variant)
    rows = [coverage(hits, runs, asked.studies) for runs in asked.runs]
    if asked.json:
        print(json.dumps(rows))
        return 0
    print(f"{variant} against {baseline}, {hits.shape[1]} runs, {hits.shape[2]} pictures", file=sys.stderr)
    for row in rows:
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    return 0
