"""`fgcrl finetune`: train a classifier, leave a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl.cli import parsing, recipe_files, settings
from finegrained_crl.cli.ranks import lost_ones_told
from finegrained_crl.cli.shortening import fitted_to_epochs
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import sittings
from finegrained_crl.training.interruption import Interrupted, Interruption
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.run_options import DataIn, RunOptions, Threads, Tracker
from finegrained_crl.training.trackers import require_tracker

if TYPE_CHECKING:
    from finegrained_crl.training.loop import Loop
    from finegrained_crl.training.session import Session

summary = "fine-tune a classifier on an image set and leave a run folder"
example = "fgcrl finetune --dataset image_folder --data my_images --backbone resnet18 --out runs/first"


def main(argv: list[str]) -> int:
    """Train, or with --dry-run show what would be trained."""
    words = parsing.normalise(argv)
    parser = _parser(words)
    parsed = parser.parse(words)
    recipe = with_absolute_paths(settings.to_recipe(parsed))
    options = _run_options(parsed)
    if parsed.dry_run:
        return _dry_run(recipe, options, as_json=parsed.json)
    run = RunFolder(Path(parsed.out) if parsed.out else default_folder(recipe))
    if run.is_done and parsed.resume:
        run.check(recipe.as_dict(), resume=True)
        _compare_data(run, recipe, options)
        return _show(run, run.read_results(), as_json=parsed.json)
    results = train(recipe, run, options, resume=parsed.resume)
    return _show(run, results, as_json=parsed.json) if results else 0


def _compare_data(run: RunFolder, recipe: Recipe, options: RunOptions) -> None:
    """A finished run's numbers are not shown for data that changed; where the data are gone, nothing is compared."""
    from finegrained_crl.data.fingerprint import fingerprint
    from finegrained_crl.training.assembly import changed_data, read_records

    if Path(recipe.data).exists():
        changed_data(run, fingerprint(read_records(recipe)), accept=options.accept_changed_data)


def train(recipe: Recipe, run: RunFolder, options: RunOptions, *, resume: bool) -> dict[str, Any] | None:
    """Train to the end.

    Returns:
        the content of results.json; None in all processes but the first.
    """
    from finegrained_crl.training.loop import Loop
    from finegrained_crl.training.session import Session

    with Interruption() as interruption, lost_ones_told(run.folder):
        session = Session(recipe, run, options, resume=resume)
        loop = Loop(session, interruption)
        if not session.is_main:
            _fit_and_finish(loop)
            return None
        with run.lock():
            _claim(session, resume=resume)
            _announce(session, loop)
            return _fit_and_finish(loop)


def _claim(session: Session, *, resume: bool) -> None:
    """Make the folder the run's, and keep what it is trained on."""
    run = session.run
    run.claim(session.recipe.as_dict(), resume=resume)
    if session.data_changes:
        run.write_changes(session.data_changes)
    run.write_data(session.data)
    sittings.begin(run.folder, str(session.accelerator.device))


def _fit_and_finish(loop: Loop) -> dict[str, Any]:
    from finegrained_crl.data.workers import deaths_told
    from finegrained_crl.training.results import finish

    try:
        # A worker's death reaches this process as a signal, in the middle of anything.
        with deaths_told():
            loop.fit()
            return finish(loop)
    except Interrupted as stop:
        folder, p = loop.session.run.folder, loop.progress
        stop.advice = (
            f"saved at epoch {p.epoch + 1}, update {p.update}; go on with: fgcrl finetune --resume --out {folder}"
        )
        raise


def default_folder(recipe: Recipe) -> Path:
    """runs/DATASET-METHOD-BACKBONE-LOSS-sSEED."""
    parts = (recipe.dataset.name, recipe.method.name, recipe.backbone, recipe.loss.name)
    fold = f"-f{recipe.fold}" if recipe.fold is not None else ""
    return Path("runs") / f"{'-'.join(parts)}{fold}-s{recipe.seed}".replace("/", "_")


def _parser(words: list[str]) -> parsing.SettingsParser:
    base, fitted = _base(words)
    if fitted:
        print(f"--epochs shortens the recipe, so also: {', '.join(fitted)}", file=sys.stderr)
    usage = "fgcrl finetune [--recipe NAME|FILE] [--dataset NAME] --data PATH [--out DIR] [any setting below]"
    return settings.recipe_parser(
        words, base, _add_run_flags, prog="fgcrl finetune", usage=usage, epilog=f"example: {example}"
    )


def _add_run_flags(parser: parsing.SettingsParser) -> None:
    how = parser.add_argument_group("how to run (nothing here changes a result, rounding aside)")
    parsing.add_flag(how, "recipe", str | None, None, "recipe file, or name of a shipped one (`fgcrl list recipes`)")
    parsing.add_flag(how, "out", str | None, None, "run folder [runs/DATASET-METHOD-BACKBONE-LOSS-sSEED]")
    parsing.add_flag(how, "resume", bool, False, "go on with the run in --out, wherever it was interrupted")
    parsing.add_flag(
        how, "dry_run", bool, False, "build everything, run two batches, print sizes and times, write nothing"
    )
    parsing.add_flag(how, "json", bool, False, "print facts as JSON")
    parsing.add_flag(how, "workers", int, -1, "image loading processes; -1 chooses")
    parsing.add_flag(
        how, "threads", Threads, 0, "CPU threads of the network; auto times some counts, 0 leaves torch's choice"
    )
    parsing.add_flag(how, "device", str, "auto", "auto, or cpu")
    parsing.add_flag(
        how, "data_in", DataIn, "auto", "pictures from 'files', or decoded once into 'memory' or onto the 'device'"
    )
    parsing.add_flag(
        how,
        "tracker",
        Tracker,
        "tensorboard",
        "where figures of epochs go beside epochs.csv: tensorboard, wandb, mlflow",
    )
    parsing.add_flag(
        how,
        "cuda_graphs",
        bool,
        False,
        "with --compile true, replay the network's kernels as CUDA graphs: for small networks, whose steps wait for the"
        " host",
    )
    parsing.add_flag(how, "checkpoint_seconds", float, 300.0, "time between checkpoints within an epoch")
    parsing.add_flag(how, "accept_changed_data", bool, False, "go on with data that changed; noted in results.json")


def _base(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings below the flags, a recipe file's or those of the run to go on with; and what was fitted to
    `--epochs`.
    """
    recipe, out = parsing.peek(words, "--recipe"), parsing.peek(words, "--out")
    if not recipe and "--resume" in words and out and RunFolder(Path(out)).holds_run:
        return RunFolder(Path(out)).read_recipe(), []
    base: dict[str, Any] = {}
    if recipe:
        method = parsing.peek(words, "--method.name") or "resnet"
        base = recipe_files.read_recipe_file(recipe_files.find_recipe(recipe, method))
    return fitted_to_epochs(words, base)


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Paths in a saved recipe must mean the same from every folder."""
    data = str(Path(recipe.data).absolute()) if recipe.data else ""
    weights = recipe.weights if recipe.weights in ("pretrained", "none") else str(Path(recipe.weights).absolute())
    return recipe.replace(data=data, weights=weights)


def _run_options(parsed: Any) -> RunOptions:
    if parsed.device not in ("auto", "cpu"):
        raise FinegrainedError(
            f"--device must be auto or cpu, got {parsed.device}; choose a GPU with CUDA_VISIBLE_DEVICES"
        )
    if not parsed.checkpoint_seconds >= 0:  # NaN is no time either
        raise FinegrainedError(f"--checkpoint-seconds must not be negative, got {parsed.checkpoint_seconds}")
    require_tracker(parsed.tracker)
    return RunOptions(
        workers=parsed.workers,
        device=parsed.device,
        checkpoint_seconds=parsed.checkpoint_seconds,
        accept_changed_data=parsed.accept_changed_data,
        data_in=parsed.data_in,
        tracker=parsed.tracker,
        cuda_graphs=parsed.cuda_graphs,
        threads=parsed.threads,
    )


def _announce(session: Any, loop: Any) -> None:
    r, say = session.recipe, loop.reporter.say
    for warning in session.records.warnings:
        say(f"note: {warning}")
    if session.warning:
        say(session.warning)
    sizes = (
        f"{len(session.parts.train)} train, {len(session.parts.val)} validation, {len(session.parts.test)} test images"
    )
    say(f"{session.records.protocol}: {sizes}, {session.records.num_classes} classes")
    say(f"{r.method}, {r.backbone} ({'; '.join(session.trainee.model.notes)}), loss {r.loss}, seed {r.seed}")
    if session.timings:
        timed = "; ".join(map(str, session.timings))
        say(f"auto took {session.setting} (per step: {timed})")
    machine = (
        f"{session.accelerator.device}, {session.setting}, pictures from {session.route},"
        f" {session.options.workers} loader processes"
    )
    say(f"{machine}; run folder {session.run.folder}")


def _dry_run(recipe: Recipe, options: RunOptions, *, as_json: bool) -> int:
    from finegrained_crl.training.dry_run import dry_run

    facts = dry_run(recipe, options)
    if as_json:
        print(json.dumps(facts, indent=2))
        return 0
    from finegrained_crl.cli.show import facts_table

    facts_table("dry run: nothing was written", facts)
    return 0


def _show(run: RunFolder, results: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(results, indent=2))
        return 0
    from finegrained_crl.cli.show import results_table

    results_table(results)
    print(f"run folder: {run.folder}", file=sys.stdout)
    return 0
