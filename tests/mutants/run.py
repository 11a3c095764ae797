"""`make mutants`: put each fault of the list into a copy of the repository and see whether the tests notice it.

    python tests/mutants/run.py [--room ROOM ..] [--kind KIND ..] [--only N ..] [--named] [--record FILE] [-n WORKERS]

The order is shuffled (by a fixed seed), so that a stopped run is a sample of all; with --record it goes on where it
was. Exit code 0: at least 95 % are noticed; 2: fewer; 1: a fault does not apply, or a test that noticed one fails
without any, too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from faults import KINDS, ROOMS, Fault, faults_of
from worker import Outcome, Worker, die_with_parent

ROOT = Path(__file__).parents[2]
LEFT_OUT = (
    ".git",
    ".venv",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "site",
    "dist",
    "build",
    "demo",
    "runs",
)
ENOUGH = 95.0

Numbered = tuple[int, str, Fault]
"""Number in the whole list, from 1; room; fault."""


def main(argv: list[str]) -> int:
    asked = parser().parse_args(argv)
    chosen = choose(asked)
    problems = [problem for _, _, fault in chosen if (problem := fault.problem(ROOT))]
    for problem in problems:
        print(f"stale: {problem}", file=sys.stderr)
    if problems or not chosen:
        print(f"{len(problems)} faults don't apply; {len(chosen)} chosen", file=sys.stderr)
        return 1
    outcomes = recorded(asked.record, chosen)
    left = [task for task in chosen if task[0] not in outcomes]
    random.Random(0).shuffle(left)
    with workers(asked.n, asked.limit) as pool:
        outcomes |= dict(try_all(pool, left, asked.record))
        red = red_anyway(pool, {outcome.by for outcome in outcomes.values() if outcome.by})
    for test in red:
        print(f"{test} fails without any fault: what it noticed does not count", file=sys.stderr)
    return report(chosen, outcomes, as_json=asked.json) if not red else 1


def recorded(record: Path | None, chosen: list[Numbered]) -> dict[int, Outcome]:
    """What an earlier run wrote of these faults; a fault is known by its texts, for numbers move."""
    lines = record.read_text(encoding="utf-8").splitlines() if record and record.exists() else []
    before = {(line["path"], line["old"], line["new"]): line for line in map(json.loads, lines)}
    outcomes = {}
    for number, _, fault in chosen:
        line = before.get((fault.path, fault.old, fault.new))
        if line and line["state"] != "hung":
            outcomes[number] = Outcome(line["state"], line["seconds"], line["by"])
    return outcomes


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="make mutants", description="see whether the tests notice faults")
    made.add_argument("--room", nargs="+", choices=ROOMS, default=list(ROOMS), help="faults of these rooms [all]")
    made.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS), help="faults of these kinds [all]")
    made.add_argument("--only", nargs="+", type=int, default=[], metavar="N", help="faults of these numbers")
    made.add_argument("-n", type=int, default=2, metavar="WORKERS", help="copies worked on side by side [2]")
    made.add_argument("--named", action="store_true", help="the faults that were once found by hand")
    made.add_argument("--limit", type=float, default=900, metavar="SECONDS", help="for the tests of one fault [900]")
    made.add_argument(
        "--record", type=Path, metavar="FILE", help="add each outcome to it; what it holds is not retried"
    )
    made.add_argument("--json", action="store_true", help="print as JSON")
    return made


def choose(asked: argparse.Namespace) -> list[Numbered]:
    everything = [(room, fault) for room in ROOMS for fault in faults_of(room)]
    numbered = [(number, room, fault) for number, (room, fault) in enumerate(everything, start=1)]
    return [
        (number, room, fault)
        for number, room, fault in numbered
        if room in asked.room and fault.kind in asked.kind and (not asked.only or number in asked.only)
        if fault.named or not asked.named
    ]


@contextmanager
def workers(count: int, limit: float) -> Iterator[Any]:
    """Processes with a copy of the repository each; the copies go when they do."""
    with tempfile.TemporaryDirectory(prefix="fgcrl-mutants-") as folder:
        # Fresh processes: a fork of this one would share nothing yet, and must not share an open copy later.
        context = multiprocessing.get_context("spawn")
        with context.Pool(count, _begin, (ROOT, folder, limit)) as pool:
            yield pool


_worker: Worker


def _begin(root: Path, folder: str, limit: float) -> None:
    global _worker
    die_with_parent()
    copy = Path(tempfile.mkdtemp(dir=folder)) / "repository"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    _worker = Worker(copy, limit)


def _attempt(task: Numbered) -> tuple[int, Outcome]:
    return task[0], _worker.attempt(task[2])


def _pass(test: str) -> tuple[str, Outcome]:
    return test, _worker.run((test,))


def red_anyway(pool: Any, tests: set[str]) -> list[str]:
    """Tests that fail without any fault: what they noticed is none."""
    outcomes = pool.imap_unordered(_pass, sorted(tests), chunksize=1)
    return [test for test, outcome in outcomes if outcome.state != "survived"]


def try_all(pool: Any, tasks: list[Numbered], record: Path | None) -> Iterator[tuple[int, Outcome]]:
    by_number = {number: (room, fault) for number, room, fault in tasks}
    for done, (number, outcome) in enumerate(pool.imap_unordered(_attempt, tasks, chunksize=1), start=1):
        room, fault = by_number[number]
        line = f"[{done}/{len(tasks)}] {number} {room}: {outcome.state} in {outcome.seconds:.0f} s  {fault}"
        print(f"{line}  {outcome.by}", file=sys.stderr, flush=True)
        if record:
            with record.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"number": number, "room": room, **asdict(fault), **asdict(outcome)}) + "\n")
        yield number, outcome


def report(chosen: list[Numbered], outcomes: dict[int, Outcome], *, as_json: bool) -> int:
    survivors = [(number, fault) for number, _, fault in chosen if outcomes[number].state != "killed"]
    score = _score([outcomes[number] for number, _, _ in chosen])
    groups = {"room": {}, "kind": {}}
    for number, room, fault in chosen:
        groups["room"].setdefault(room, []).append(outcomes[number])
        groups["kind"].setdefault(fault.kind, []).append(outcomes[number])
    if as_json:
        listed = [{"number": n, "room": room, **asdict(f), **asdict(outcomes[n])} for n, room, f in chosen]
        shares = {axis: {name: _score(of) for name, of in by.items()} for axis, by in groups.items()}
        print(json.dumps({"score": score, "faults": listed, **shares}, indent=2))
        return 0 if score >= ENOUGH else 2
    for axis, by in groups.items():
        for name, of in by.items():
            noticed = sum(outcome.state == "killed" for outcome in of)
            print(f"{axis} {name}: {noticed} of {len(of)} noticed, {_score(of):.1f} %")
    for number, fault in survivors:
        reason = fault.why_equivalent or "NOT EXPLAINED: a test is missing"
        print(f"{outcomes[number].state}: {number} {fault}\n    {reason}")
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} noticed, {score:.1f} %")
    return 0 if score >= ENOUGH else 2


def _score(outcomes: list[Outcome]) -> float:
    return 100 * sum(outcome.state == "killed" for outcome in outcomes) / len(outcomes)


if __name__ == "__main__":
    begun = time.monotonic()
    code = main(sys.argv[1:])
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    sys.exit(code)
