"""`fgcrl probe`: a study of heads on the features of a frozen backbone, thousands trained at once."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from finegrained_crl.cli import parsing
from finegrained_crl.cli.foresight import foresee
from finegrained_crl.cli.study_checks import check_data
from finegrained_crl.cli.study_plan import add_axes, plan_study, study_parser
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.interruption import Interrupted, Interruption
from finegrained_crl.training.run_folder import RunFolder

summary = "a study of heads on a frozen backbone's features: thousands trained at once, read like any study"
example = (
    "fgcrl probe --recipe probe --data demo/birds --dataset cub200 --losses ce crl --grid lr=0.01,0.1 --select val"
    " --seeds 0 1 2 --out studies/probe"
)


def main(argv: list[str]) -> int:
    """Plan, compute features, train what is missing."""
    words = parsing.normalise(argv)
    parsed = _parser(words).parse(words)
    if not parsed.out:
        raise FinegrainedError("--out is missing: give the folder of the study")
    options = _options(parsed)
    threads = parsed.threads or os.cpu_count() or 1
    study = _study(words, parsed, threads, options)
    folder = StudyFolder(Path(parsed.out))
    folder.check(study)
    people = check_data(folder, _without_probe(study, parsed), accept_changes=False)
    foreseen = foresee(folder, study, people)
    if not parsed.json:
        print(_plan_text(study))
        if foreseen:
            print(foreseen.text, flush=True)
    try:
        with Interruption(), RunFolder(folder.folder).lock():
            seconds = _run(folder, study, options, parsed)
    except Interrupted as stop:
        stop.advice = "the blocks that are finished are kept; the same command goes on"
        raise
    facts = {"study": str(folder.folder), "heads": len(study.cells), "seconds": round(seconds, 1)}
    ended = f"{len(study.cells)} heads done in {seconds:.0f} s; fgcrl report {folder.folder}"
    print(json.dumps(facts) if parsed.json else ended)
    return 0


def _run(folder: StudyFolder, study: Study, options: Any, parsed: Any) -> float:
    import torch

    from finegrained_crl.probes.features import cached_features
    from finegrained_crl.probes.study import ProbeStudy
    from finegrained_crl.training.run_options import RunOptions
    from finegrained_crl.training.session import Session

    torch.set_num_threads(study.threads)
    first = study.cells[0].recipe
    # Augmentation has one seed for all heads: they differ in what they make of the same features.
    recipe = first.replace(method=parsed.method_of_backbone, seed=0)
    session = Session(recipe, RunFolder(folder.folder / "features" / "none"), RunOptions(parsed.workers, parsed.device))
    study = folder.write(study)
    place = Path(parsed.features) if parsed.features else folder.folder / "features"
    features = cached_features(session, place, options.views, _say(parsed))
    total, finished, start = len(study.cells), 0, time.monotonic()

    def done(count: int) -> None:
        nonlocal finished
        finished += count
        if count:
            _say(parsed)(f"{finished} of {total} heads, {time.monotonic() - start:.0f} s")

    ProbeStudy(folder, study, session, features, options).run(done)
    return time.monotonic() - start


def _say(parsed: Any) -> Any:
    return (lambda text: None) if parsed.json else (lambda text: print(text, file=sys.stderr, flush=True))


def _study(words: list[str], parsed: Any, threads: int, options: Any) -> Study:
    """The plan: its recipes say that a probe is what ran."""
    import dataclasses

    from finegrained_crl.probes.study import check_probe, with_probe

    study = plan_study(words, parsed, threads, _parser)
    for recipe in study.variants.values():
        check_probe(recipe, options)
    parsed.method_of_backbone = next(iter(study.variants.values())).method
    variants = {name: with_probe(recipe, options) for name, recipe in study.variants.items()}
    return dataclasses.replace(study, variants=variants)


def _without_probe(study: Study, parsed: Any) -> Study:
    import dataclasses

    variants = {name: recipe.replace(method=parsed.method_of_backbone) for name, recipe in study.variants.items()}
    return dataclasses.replace(study, variants=variants)


def _options(parsed: Any) -> Any:
    from finegrained_crl.probes.study import ProbeOptions

    checks = {
        "--hidden": (parsed.hidden, 0 <= parsed.hidden <= 65536, "from 0 to 65536"),
        "--cached-views": (parsed.cached_views, 0 <= parsed.cached_views <= 1000, "from 0 to 1000"),
        "--label-noise": (parsed.label_noise, 0 <= parsed.label_noise < 1, "from 0 to below 1"),
        "--imbalance": (parsed.imbalance, 1 <= parsed.imbalance < 1e6, "from 1 on"),
        "--threads": (parsed.threads, 0 <= parsed.threads <= 1024, "from 1 to 1024"),
    }
    for flag, (value, fine, expected) in checks.items():
        if not fine:
            raise FinegrainedError(f"{flag} {value}: must be {expected}")
    return ProbeOptions(parsed.hidden, parsed.cached_views, parsed.label_noise, parsed.imbalance)


def _plan_text(study: Study) -> str:
    folds = "one split" if study.folds == [None] else f"{len(study.folds)} folds"
    chosen = f", {', '.join(study.select)} chosen on validation" if study.select else ""
    return (
        f"{len(study.variants)} variants x {folds} x {len(study.seeds)} seeds = {len(study.cells)} heads{chosen}; CPU,"
        f" {study.threads} threads"
    )


def _parser(words: list[str]) -> parsing.SettingsParser:
    usage = (
        "fgcrl probe --out STUDY [--recipe NAME|FILE] --data PATH [--losses A B ..] [--grid lr=A,B ..] [--select val]"
        " [--seeds 0 1 ..] [any setting below]"
    )
    return study_parser(words, _add_flags, prog="fgcrl probe", usage=usage, epilog=f"example: {example}")


def _add_flags(parser: parsing.SettingsParser) -> None:
    add_axes(parser)
    what = parser.add_argument_group("what is probed")
    parsing.add_flag(what, "hidden", int, 0, "width of the heads' hidden layer; 0: linear heads")
    parsing.add_flag(what, "cached_views", int, 4, "augmented views of each training picture; 0: as at evaluation")
    parsing.add_flag(what, "label_noise", float, 0.0, "share of the training labels replaced by another class")
    parsing.add_flag(what, "imbalance", float, 1.0, "training pictures of the first class over those of the last")
    how = parser.add_argument_group("how to run (nothing here changes a result but rounding)")
    parsing.add_flag(how, "out", str | None, None, "folder of the study; the same command goes on where it stopped")
    parsing.add_flag(
        how, "features", str | None, None, "folder of the cached features, for studies that share them [OUT/features]"
    )
    parsing.add_flag(how, "threads", int, 0, "CPU threads; fixed when the study begins [all cores]")
    parsing.add_flag(how, "workers", int, -1, "loader processes for the features [by the machine]")
    parsing.add_flag(how, "device", str, "auto", "where features are computed: auto, or cpu; heads train on the CPU")
    parsing.add_flag(how, "json", bool, False, "print as JSON")
