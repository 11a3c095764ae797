"""`fgcrl crossval`: a study, that is a grid of runs over folds x losses x seeds (x settings), run side by side and
continued.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from finegrained_crl.cli import parsing
from finegrained_crl.cli.foresight import Foresight, foresee
from finegrained_crl.cli.show import print_table
from finegrained_crl.cli.study_checks import check_data
from finegrained_crl.cli.study_how import add_how, is_only_how, machine_of, site_of
from finegrained_crl.cli.study_plan import ParserOf, Plan, add_axes, plan_study, study_parser
from finegrained_crl.cli.study_view import StudyView
from finegrained_crl.cli.study_words import parts_of, with_study
from finegrained_crl.cores import available_cores
from finegrained_crl.crossval.census import take_census
from finegrained_crl.crossval.launch import Launcher, StudyLauncher, expected_seconds
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.orders import give_order
from finegrained_crl.crossval.planning import write_plan
from finegrained_crl.crossval.processes import Processes, processes
from finegrained_crl.crossval.slurm import Site, submit
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import sittings
from finegrained_crl.training.interruption import Interrupted, Interruption
from finegrained_crl.training.reporter import duration

summary = "run a study: folds x losses x seeds (x settings), side by side, continued where it stopped"
example = (
    "fgcrl crossval --recipe demo-faces --data demo/faces --losses ce crl nllr --seeds 0 1 --jobs 2 --out studies/faces"
)


def main(argv: list[str]) -> int:
    """Plan, show the plan, run what is missing."""
    asked = parsing.normalise(argv)
    parts = parts_of(asked)
    return _each_part(asked, parts) if len(parts) > 1 else _one_study(with_study(asked))


def _each_part(words: list[str], parts: list[str]) -> int:
    """All parts of a study file, each a study in a folder of its own; what one lacks doesn't keep the others."""
    code = 0
    out, data = parsing.peek(words, "--out"), parsing.peek(words, "--data")
    if not out or not data:
        raise FinegrainedError("a study of several parts needs --out STUDIES and --data FOLDER, or --part for one")
    for part in parts:
        home = Path(data) / part
        own = [f"--part={part}", f"--out={Path(out) / part}", f"--data={home if home.exists() else data}"]
        print(f"part {part}: {Path(out) / part}", file=sys.stderr, flush=True)
        try:
            code = max(code, _one_study(with_study([*words, *own])))
        except FinegrainedError as error:
            print(f"fgcrl crossval: error: part {part}: {error}", file=sys.stderr)
            code = 1
    return code


def _one_study(words: list[str]) -> int:
    return run_study(words, _parser, plan_study)


def run_study(words: list[str], parser_of: ParserOf, plan: Plan) -> int:
    """Plan a study, show the plan, run what is missing.

    Args:
        words: of the command line.
        parser_of: makes the command's parser.
        plan: makes the study of what was parsed.
    Returns:
        the exit code.
    """
    parsed = parser_of(words).parse(words)
    if not parsed.out:
        raise FinegrainedError("--out is missing: give the folder of the study")
    if parsing.peek(words, "--fold"):
        raise FinegrainedError(
            "--fold is for one run; a study takes --folds 0 1 .. (all of the data set where you name none)"
        )
    folder = StudyFolder(Path(parsed.out))
    if parsed.cancel:
        return _cancel(folder)
    machine, site = machine_of(parsed), site_of(parsed)
    if folder.exists and is_only_how(words):
        study = folder.read()
        machine = _as_before(machine, study, parsed.jobs)
    else:
        threads = max(1, (site.cores or available_cores()) // machine.jobs)
        study = plan(words, parsed, threads, parser_of)
    folder.check(study)
    _say("reading the data and looking for leaks")
    people = check_data(folder, study, accept_changes=parsed.accept_changed_data)
    foreseen = foresee(folder, study, people)
    if parsed.plan:
        planned = _expected_of_plan(folder, study, machine)
        return _show_plan(folder, study, machine, *planned, foreseen, as_json=parsed.json)
    try:
        with Interruption():
            study = write_plan(folder, study)
            sittings.begin(folder.folder)
            if parsed.launcher == "slurm":
                return _submit(folder, study, machine, site, as_json=parsed.json)
            if parsed.launcher == "ray":
                launcher = _run_with_ray(folder, study, machine, parsed)
            else:
                launcher = _run_here(folder, study, machine, foreseen, as_json=parsed.json)
    except Interrupted as stop:
        stop.advice = f"cells under way have saved; go on with: fgcrl crossval --out {folder.folder}"
        raise
    return _show_end(folder, launcher, as_json=parsed.json)


def _submit(folder: StudyFolder, study: Study, machine: Machine, site: Site, *, as_json: bool) -> int:
    submission = submit(folder, study, machine, site)
    if as_json:
        facts = {**vars(submission), "script": str(submission.script)} if submission else None
        print(json.dumps({"study": str(folder.folder), "submission": facts}, indent=2))
        return 0
    if submission is None:
        print(f"all {len(study.cells)} cells are done; fgcrl report {folder.folder}")
        return 0
    what = f"{submission.cells} cells in an array of {submission.tasks} tasks"
    by_hand = f"written, not submitted (no sbatch on the PATH here): sbatch {submission.script}"
    how = f"submitted as job {submission.job} ({submission.script})" if submission.job else by_hand
    print(f"{what}: {how}; fgcrl status {folder.folder}")
    return 0


def _cancel(folder: StudyFolder) -> int:
    study = folder.read()
    give_order(folder.folder)
    running = take_census(folder, study).counts["running"]
    print(f"asked all launchers to stop; {running} cells under way save first: fgcrl status {folder.folder}")
    return 0


def _say(text: str) -> None:
    """On a terminal, a word about what takes a while, before there is anything to show."""
    if sys.stderr.isatty():
        print(f"{text} ..", file=sys.stderr, flush=True)


def _as_before(machine: Machine, study: Study, jobs: int) -> Machine:
    """A study that goes on with `--out` alone runs as many cells side by side as before: its threads say."""
    if jobs or machine.gpus:
        return machine
    return dataclasses.replace(machine, jobs=max(1, available_cores() // study.threads))


def _parser(words: list[str]) -> parsing.SettingsParser:
    usage = (
        "fgcrl crossval --out STUDY [--recipe NAME|FILE] --data PATH [--losses A B ..] [--seeds 0 1 ..] [--jobs N] [any"
        " setting below]"
    )
    return study_parser(words, add_flags, prog="fgcrl crossval", usage=usage, epilog=f"example: {example}")


def add_flags(parser: parsing.SettingsParser) -> None:
    """Add what is compared, and how cells run."""
    add_axes(parser)
    add_how(parser)


def _expected(folder: StudyFolder, study: Study, machine: Machine, starter: Processes) -> tuple[float | None, str]:
    _say("timing two steps of the first cell" if _is_new(folder, study) else "reading the finished cells")
    try:
        return expected_seconds(folder, study, machine, starter), ""
    except FinegrainedError as error:
        return None, str(error)


def _is_new(folder: StudyFolder, study: Study) -> bool:
    return not any(folder.run(cell).is_done for cell in study.cells)


def _expected_of_plan(folder: StudyFolder, study: Study, machine: Machine) -> tuple[float | None, str]:
    """`_expected`, nothing written into the study's folder."""
    with processes(study.threads, machine.gpus) as starter, tempfile.TemporaryDirectory(prefix="fgcrl-plan-") as other:
        if folder.exists and not _is_new(folder, study):
            return _expected(folder, study, machine, starter)
        draft = StudyFolder(Path(other) / "study")
        return _expected(draft, draft.write(study), machine, starter)


def _show_plan(
    folder: StudyFolder,
    study: Study,
    machine: Machine,
    expected: float | None,
    unknown: str,
    foreseen: Foresight | None,
    *,
    as_json: bool,
) -> int:
    done = sum(folder.run(cell).is_done for cell in study.cells)
    if as_json:
        facts = {
            "study": str(folder.folder),
            "cells": len(study.cells),
            "done": done,
            "jobs": machine.jobs,
            "threads": study.threads,
            "expected_seconds": None if expected is None else round(expected),
            "folds": study.folds,
            "seeds": study.seeds,
            "variants": list(study.variants),
            "smallest_difference": foreseen.smallest if foreseen else None,
        }
        print(json.dumps(facts, indent=2))
        return 0
    _show_variants(study, done)
    where = f"GPUs {', '.join(machine.gpus)}" if machine.gpus else f"CPU, {study.threads} threads each"
    time = f"about {duration(expected)}" if expected is not None else f"unknown ({unknown})"
    print(f"{machine.jobs} side by side ({where}); expected time {time}; study folder {folder.folder}")
    if foreseen:
        print(foreseen.text)
    sys.stdout.flush()
    return 0


def _show_variants(study: Study, done: int) -> None:
    rows = [
        (name, f"{r.lr:.4g}", f"{r.weight_decay:.4g}", ", ".join(f"{k} {v}" for k, v in r.loss.options.items()))
        for name, r in study.variants.items()
    ]
    print_table("", ("variant", "lr", "weight decay", "options of the loss"), rows)
    folds = "no folds" if study.folds == [None] else f"{len(study.folds)} folds"
    print(
        f"{len(study.variants)} variants x {folds} x {len(study.seeds)} seeds = {len(study.cells)} cells, {done} done"
    )


def _run_here(
    folder: StudyFolder, study: Study, machine: Machine, foreseen: Foresight | None, *, as_json: bool
) -> StudyLauncher:
    if crowding := machine.crowding(study.threads):
        print(f"fgcrl crossval: {crowding}", file=sys.stderr)
    with processes(study.threads, machine.gpus) as starter:
        expected, unknown = _expected(folder, study, machine, starter)
        if not as_json:
            _show_plan(folder, study, machine, expected, unknown, foreseen, as_json=False)
        return _run(folder, study, machine, starter)


def _run_with_ray(folder: StudyFolder, study: Study, machine: Machine, parsed: Any) -> StudyLauncher:
    from finegrained_crl.crossval.ray_apart import ApartLauncher
    from finegrained_crl.crossval.ray_launcher import Cluster, RayLauncher

    share = 0.0 if parsed.device == "cpu" else parsed.share or 1.0
    cluster = Cluster(parsed.address, parsed.scratch, share, bring=parsed.bring)
    kind = RayLauncher if parsed.bring == "shared" else ApartLauncher
    with StudyView(folder, study, machine.jobs) as view:
        launcher = kind(folder, study, machine, cluster, view.changed, view.tick)
        view.status = launcher.status
        launcher.run()
    return launcher


def _run(folder: StudyFolder, study: Study, machine: Machine, starter: Processes) -> StudyLauncher:
    with StudyView(folder, study, machine.jobs) as view:
        launcher = Launcher(folder, study, machine, starter, view.changed, view.tick)
        view.status = launcher.status
        launcher.run()
    return launcher


def _show_end(folder: StudyFolder, launcher: StudyLauncher, *, as_json: bool) -> int:
    states = {name: status.state for name, status in launcher.status.items()}
    if as_json:
        print(json.dumps({"study": str(folder.folder), "cells": states, "failed": launcher.failed}, indent=2))
        return 1 if launcher.failed else 0
    for name, reason in launcher.failed.items():
        print(f"failed: {name}: {reason} ({folder.folder / 'logs' / name}.log)", file=sys.stderr)
    print(
        f"{sum(state == 'done' for state in states.values())} of {len(states)} cells done; fgcrl report {folder.folder}"
    )
    return 1 if launcher.failed else 0
