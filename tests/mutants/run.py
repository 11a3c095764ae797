"""`make mutants`: put each fault of the list into a copy of the repository and see whether the tests notice it.

    python tests/mutants/run.py [--room ROOM ..] [--kind KIND ..] [--only N ..] [-n WORKERS] [--json] [--no-baseline]

Exit code 0: at least 95 % are noticed; 2: fewer; 1: a fault does not apply, or tests fail without any fault.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import shutil
import signal
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
from worker import Outcome, Worker

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
    with workers(asked.n, asked.limit) as pool:
        if not asked.no_baseline and not baseline(pool, chosen):
            return 1
        outcomes = dict(try_all(pool, chosen))
    return report(chosen, outcomes, as_json=asked.json)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="make mutants", description="see whether the tests notice faults")
    made.add_argument("--room", nargs="+", choices=ROOMS, default=list(ROOMS), help="faults of these rooms [all]")
    made.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS), help="faults of these kinds [all]")
    made.add_argument("--only", nargs="+", type=int, default=[], metavar="N", help="faults of these numbers")
    made.add_argument("-n", type=int, default=2, metavar="WORKERS", help="copies worked on side by side [2]")
    made.add_argument("--limit", type=float, default=240, metavar="SECONDS", help="for the tests of one fault [240]")
    made.add_argument("--json", action="store_true", help="print as JSON")
    made.add_argument("--no-baseline", action="store_true", help="don't see first that the tests pass as they are")
    return made


def choose(asked: argparse.Namespace) -> list[Numbered]:
    everything = [(room, fault) for room in ROOMS for fault in faults_of(room)]
    numbered = [(number, room, fault) for number, (room, fault) in enumerate(everything, start=1)]
    return [
        (number, room, fault)
        for number, room, fault in numbered
        if room in asked.room and fault.kind in asked.kind and (not asked.only or number in asked.only)
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


def _die_with_parent() -> None:
    """Linux: a runner that is killed leaves no worker behind that goes on for an hour."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _begin(root: Path, folder: str, limit: float) -> None:
    global _worker
    _die_with_parent()
    copy = Path(tempfile.mkdtemp(dir=folder)) / "repository"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    _worker = Worker(copy, limit)


def _attempt(task: Numbered) -> tuple[int, Outcome]:
    return task[0], _worker.attempt(task[2])


def _pass(tests: str) -> tuple[str, Outcome]:
    return tests, _worker.run((tests,))


def baseline(pool: Any, chosen: list[Numbered]) -> bool:
    """Whether all tests pass without a fault: what is red anyway notices nothing."""
    files = list(dict.fromkeys(test.partition("::")[0] for _, _, fault in chosen for test in fault.tests))
    green = True
    for tests, outcome in pool.imap_unordered(_pass, files, chunksize=1):
        if outcome.state != "survived":
            print(f"{tests} fails without any fault: {outcome.by}", file=sys.stderr)
            green = False
    return green


def try_all(pool: Any, chosen: list[Numbered]) -> Iterator[tuple[int, Outcome]]:
    by_number = {number: (room, fault) for number, room, fault in chosen}
    for done, (number, outcome) in enumerate(pool.imap_unordered(_attempt, chosen, chunksize=1), start=1):
        room, fault = by_number[number]
        line = f"[{done}/{len(chosen)}] {number} {room}: {outcome.state} in {outcome.seconds:.0f} s  {fault}"
        print(f"{line}  {outcome.by}", file=sys.stderr, flush=True)
        yield number, outcome


def report(chosen: list[Numbered], outcomes: dict[int, Outcome], *, as_json: bool) -> int:
    survivors = [(number, fault) for number, _, fault in chosen if outcomes[number].state == "survived"]
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
            noticed = sum(outcome.state != "survived" for outcome in of)
            print(f"{axis} {name}: {noticed} of {len(of)} noticed, {_score(of):.1f} %")
    for number, fault in survivors:
        print(f"survived: {number} {fault}\n    {fault.why_equivalent or 'NOT EXPLAINED: a test is missing'}")
    hung = sum(outcome.state == "hung" for outcome in outcomes.values())
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} noticed ({hung} by not ending), {score:.1f} %")
    return 0 if score >= ENOUGH else 2


def _score(outcomes: list[Outcome]) -> float:
    return 100 * sum(outcome.state != "survived" for outcome in outcomes) / len(outcomes)


if __name__ == "__main__":
    begun = time.monotonic()
    code = main(sys.argv[1:])
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    sys.exit(code)
