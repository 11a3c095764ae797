"""`fgcrl verify`: whether finished runs and studies are still what they were when they were finished."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.cli.show import print_table
from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed
from finegrained_crl.training.run_folder import RunFolder

summary = "check every file of a finished run or study against the SHA-256 of when it was finished"
example = "fgcrl verify studies/faces"


def main(argv: list[str]) -> int:
    """Check; exit code 1 when something is damaged, missing or contradicts itself."""
    parser = Parser(prog="fgcrl verify", description=summary, epilog=f"example: {example}")
    parser.add_argument("folder", metavar="RUN|STUDY", help="folder of a run or of a study")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    arguments = parser.parse_args(argv)
    folder = Path(arguments.folder)
    is_study = StudyFolder(folder).exists
    states = study_states(StudyFolder(folder)) if is_study else {str(folder): run_problems(RunFolder(folder))}
    unfinished = [name for name, problems in states.items() if problems is None]
    damaged = {name: problems for name, problems in states.items() if problems}
    if is_study and not damaged and len(unfinished) < len(states):
        damaged |= _contradictions(folder)
    if arguments.json:
        print(json.dumps({"folder": str(folder), "damaged": damaged, "unfinished": unfinished}, indent=2))
    else:
        _show(folder, len(states), unfinished, damaged)
    return 1 if damaged else 0


def run_problems(run: RunFolder) -> list[str] | None:
    """What of a run is not as it was written; None for a run that is not finished.

    Raises:
        FinegrainedError: no run there.
    """
    if not run.holds_run and not run.is_done:
        raise FinegrainedError(f"{run.folder.absolute()} holds neither a run (recipe.yaml) nor a study (study.yaml)")
    return committed.problems(run.folder) if run.is_done else None


def study_states(place: StudyFolder) -> dict[str, list[str] | None]:
    """Cell -> what is wrong with it, None where it is not finished."""
    states: dict[str, list[str] | None] = {}
    for cell in place.read().cells:
        run = place.run(cell)
        states[cell.name] = run_problems(run) if run.holds_run or run.is_done else None
    return states


def _contradictions(folder: Path) -> dict[str, list[str]]:
    """What of the cells doesn't belong together, though every file is as it was written."""
    accepted = collect(folder, accept_differences=True).accepted
    return {"between cells": accepted} if accepted else {}


def _show(folder: Path, total: int, unfinished: list[str], damaged: dict[str, list[str]]) -> None:
    if damaged:
        rows = [[name, problem] for name, problems in damaged.items() for problem in problems]
        print_table(f"{folder}: not as it was", ("where", "what"), rows)
    whole = total - len(unfinished) - len([name for name in damaged if name != "between cells"])
    waiting = f", {len(unfinished)} not finished" if unfinished else ""
    print(f"{whole} of {total} as they were when finished{waiting}")
