"""`fgcrl status`: where a study stands, whoever runs it; without torch."""

from __future__ import annotations

import json
import time
from pathlib import Path

from finegrained_crl import escaping
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.crossval.census import Census, as_plain, take_census
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.training.reporter import duration

summary = "say where a study stands: states, failures with their reasons, expected end, cost so far"
example = "fgcrl status studies/faces"
MOST = 20
"""Cells that are listed by name; `--json` lists all."""


def main(argv: list[str]) -> int:
    """Look, and say."""
    parser = Parser(prog="fgcrl status", description=summary, epilog=f"example: {example}")
    parser.add_argument("study", metavar="STUDY", help="folder of a study")
    parser.add_argument("--json", action="store_true", help="print as JSON, with every cell")
    arguments = parser.parse_args(argv)
    folder = StudyFolder(Path(arguments.study))
    census = take_census(folder, folder.read())
    if arguments.json:
        print(json.dumps({"study": str(folder.folder), **as_plain(census)}, indent=2))
    else:
        for line in [f"{folder.folder}: {len(census.cells)} cells", *_lines(census)]:
            print(escaping.plain(line))
    return 0


def _lines(census: Census) -> list[str]:
    counts = ", ".join(f"{count} {state}" for state, count in census.counts.items() if count)
    return [counts, *_listed(census, "running"), *_listed(census, "stale"), *_listed(census, "failed"), *_ends(census)]


def _listed(census: Census, state: str) -> list[str]:
    """A line for each cell in a state, of the first ones."""
    chosen = [(name, cell) for name, cell in census.cells.items() if cell.state == state]
    lines = []
    for name, cell in chosen[:MOST]:
        about = cell.reason or f"{cell.by}, for {duration(cell.running_seconds)}"
        again = f"; tried {cell.tries} times" if cell.tries > 1 else ""
        lines.append(f"  {state}: {name}: {about}{again}")
    more = len(chosen) - MOST
    return [*lines, f"  {state}: {more} more; --json lists all"] if more > 0 else lines


def _ends(census: Census) -> list[str]:
    cost, left = census.cost, census.seconds_left
    spent = f"cost so far: {cost['core_hours']:.2f} core hours"
    spent += f", {cost['gpu_hours']:.2f} GPU hours" if cost["gpu_hours"] else ""
    spent += f" ({cost['core_hours_of_failures']:.2f} core hours in failures)" if cost["core_hours_of_failures"] else ""
    if left is None:
        end = "expected end: unknown (nothing runs, or no cell has ended yet)"
    elif left == 0:
        end = "nothing is left to run"
    else:
        end = f"expected end: in {duration(left)}, {time.strftime('%d %b %H:%M', time.localtime(time.time() + left))}"
    return [end, spent]
