"""`fgcrl evaluate`: a finished run on another data set or part."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl import at_once, escaping
from finegrained_crl.cli import parsing, settings
from finegrained_crl.cli.progress import bar
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Component, Recipe, recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder

if TYPE_CHECKING:
    from finegrained_crl.training.evaluation import Evaluation

summary = "evaluate a finished run on another data set, or another part of its own"
example = "fgcrl evaluate runs/first --data other_images --out evaluations/first-other"
SHOWN = 10
"""Classes that a line names; results.json has them all."""


def main(argv: list[str]) -> int:
    """Evaluate, print the figures, and write a folder like a run's where --out says so."""
    words = parsing.normalise(argv)
    if not words or (words[0].startswith("-") and not parsing.asks_for_help(words)):
        raise FinegrainedError(f"`fgcrl evaluate` needs the folder of a run first; e.g. {example}")
    folder = "" if words[0].startswith("-") else words[0]
    own = recipe_from_dict(RunFolder(Path(folder)).read_recipe()) if folder else Recipe()
    parser, options = _parser(words, own)
    parsed = parser.parse(words[1:] if folder else words)
    if parsed.batch_size < 1:
        raise FinegrainedError(f"--batch-size must be at least 1, got {parsed.batch_size}")
    if parsed.out:
        at_once.require_absent(Path(parsed.out))
    evaluation = _evaluate(Path(folder), _recipe(own, parsed, options), parsed)
    if parsed.out:
        evaluation.write(Path(parsed.out))
    _show(evaluation, parsed)
    return 0


def _evaluate(folder: Path, recipe: Recipe, parsed: Any) -> Evaluation:
    from finegrained_crl.data.loading import default_workers
    from finegrained_crl.training.evaluation import evaluate_run
    from finegrained_crl.training.predictor import Predictor

    predictor = Predictor(folder, weights=parsed.weights, device=parsed.device)
    on_gpu = predictor.scorer.accelerator.device.type == "cuda"
    workers = parsed.workers if parsed.workers >= 0 else default_workers(on_gpu)
    class_map = Path(parsed.class_map) if parsed.class_map else None
    with bar("evaluating") as progress:
        return evaluate_run(
            predictor, recipe, class_map=class_map, batch_size=parsed.batch_size, workers=workers, progress=progress
        )


def _recipe(own: Recipe, parsed: Any, options: list[str]) -> Recipe:
    """The run's recipe with the data that are asked for."""
    if parsed.split is not None and parsed.fold is not None:
        raise FinegrainedError(f"--fold {parsed.fold} and --split {parsed.split} exclude each other; give one of them")
    data = str(Path(parsed.data).absolute()) if parsed.data else own.data
    is_own = not parsed.data and parsed.split is None and parsed.fold is None
    chosen = {"split": own.split, "fold": own.fold} if is_own else {"split": parsed.split, "fold": parsed.fold}
    dataset = Component(parsed["dataset.name"], {name: parsed[f"dataset.{name}"] for name in options})
    changes: dict[str, Any] = {"missing": parsed.missing, "views": parsed.views or own.views, **chosen}
    if parsed.data:
        changes["pictures_per_class"] = 0  # the run's excerpt of its own data
    convert = parsed.convert_images or own.convert_images
    return own.replace(dataset=dataset, data=data, convert_images=convert, **changes)


def _parser(words: list[str], own: Recipe) -> tuple[parsing.SettingsParser, list[str]]:
    parser = parsing.SettingsParser(
        prog="fgcrl evaluate",
        usage="fgcrl evaluate RUN [--data PATH] [--dataset NAME] [--split NAME] [--out DIR] [any option below]",
        description=summary,
        epilog=f"example: {example}",
    )
    name = parsing.peek(words, "--dataset.name") or own.dataset.name
    add = parsing.add_flag
    add(parser, "data", str, "", "folder (or CSV file) of the other data set [the run's own]")
    add(parser, "dataset.name", str, name, "kind of data set; `fgcrl list datasets` shows all [the run's]")
    add(parser, "split", str | None, None, "part to evaluate, or 'all' [test; all where there is none]")
    add(parser, "fold", int | None, None, "fold to evaluate, for data sets that have folds")
    add(parser, "class_map", str, "", "CSV with columns data_class, run_class [classes of the same name]")
    parser.add_argument("--views", choices=("single", "flip", "ten-crop"), help="test-time views [the run's]")
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    add(parser, "out", str, "", "folder for results and predictions, like a run's; must not be there yet")
    parser.add_argument(
        "--missing", choices=("refuse", "skip"), default=own.missing, help="pictures that are not there"
    )
    add(parser, "convert_images", bool, False, "convert CMYK, 16-bit and transparent images")
    add(parser, "batch_size", int, 32, "pictures per forward pass")
    add(parser, "workers", int, -1, "loader processes; -1: by the number of cores")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="[auto]")
    add(parser, "json", bool, False, "print results.json")
    cls = settings.component_class("dataset", name)
    group = parser.add_argument_group(f"options of the dataset {cls.__name__}")
    options = parsing.add_options(group, cls, prefix="dataset.")
    stored = own.dataset.options if name == own.dataset.name else {}
    parser.set_defaults({f"dataset.{key}": value for key, value in stored.items() if key in options})
    return parser, options


def _show(evaluation: Evaluation, parsed: Any) -> None:
    if parsed.json:
        print(json.dumps(evaluation.results, indent=2))
    else:
        from finegrained_crl.cli.show import results_table

        results_table(evaluation.results)
    told = evaluation.results["evaluation"]
    left_out, absent = told["left_out"], told["classes_without_pictures"]
    lines = [*evaluation.results["protocol"]["leaks"], *([told["other_face_crop"]] if told["other_face_crop"] else [])]
    if left_out:
        pictures = sum(left_out.values())
        lines.append(f"the run does not know {_named(list(left_out))}: {pictures} pictures left out")
    if absent:
        lines.append(f"of the run's classes the data have no picture of {_named(absent)}")
    for line in lines:
        print(f"note: {escaping.plain(line)}", file=sys.stderr)
    if parsed.out:
        print(f"folder: {parsed.out}", file=sys.stderr if parsed.json else sys.stdout)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} classes ({', '.join(names[:SHOWN])}{more})"
