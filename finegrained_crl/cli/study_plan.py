"""From flags to the plan of a study: variants, folds, seeds, and what is chosen on validation."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from finegrained_crl.cli import parsing, recipe_files, settings
from finegrained_crl.cli.finetune import with_absolute_paths
from finegrained_crl.cli.shortening import fitted_to_epochs
from finegrained_crl.cli.study_words import with_study
from finegrained_crl.crossval.origin import Origin, departures
from finegrained_crl.crossval.plan import make_cells, make_variants, parse_grid
from finegrained_crl.crossval.study import Study
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.studies import find_study
from finegrained_crl.studies.study_file import AS_PRINTED
from finegrained_crl.training.ranges import check_recipe
from finegrained_crl.training.recipe import Component, Recipe

ParserOf = Callable[[list[str]], parsing.SettingsParser]
Plan = Callable[[list[str], Any, int, ParserOf], Study]
"""Words, what they were parsed to, threads of a cell and the parser, to a study."""


def study_parser(
    words: list[str], add_flags: Callable[[parsing.SettingsParser], None], **texts: str
) -> parsing.SettingsParser:
    """The parser of a command that runs studies: its flags, and every setting with the recipe's values as defaults.

    Args:
        words: of the command line; they name the recipe and the method.
        add_flags: adds the command's own.
        texts: prog, usage and epilog of the help.
    """
    recipe = parsing.peek(words, "--recipe")
    method = parsing.peek(words, "--method.name") or parsing.peek(words, "--methods") or "resnet"
    base = recipe_files.read_recipe_file(recipe_files.find_recipe(recipe, method)) if recipe else {}
    base, _ = fitted_to_epochs(words, base)
    return settings.recipe_parser(words, base, add_flags, **texts)


def add_axes(parser: parsing.SettingsParser) -> None:
    """Add the flags that say what is compared."""
    what = parser.add_argument_group("what is compared")
    parsing.add_flag(what, "study", str | None, None, "a table of a paper; `fgcrl list studies` shows them")
    parsing.add_flag(what, "part", str | None, None, "part (data set) of the study, where it has several")
    parsing.add_flag(what, "scale", str | None, None, "paper (as printed), gpu-hour or cpu-smoke [paper]")
    parsing.add_flag(what, "recipe", str | None, None, "recipe file, or name of a shipped one: what all cells share")
    parsing.add_flag(
        what, "losses", list[str], [], "losses to compare [the recipe's]; options of the recipe's own loss hold for it"
    )
    parsing.add_flag(
        what, "methods", list[str], [], "methods to compare, each with its own recipe of the name --recipe [--method]"
    )
    parsing.add_flag(what, "seeds", list[int], [], "seeds; every fold and variant runs once with each [the recipe's]")
    parsing.add_flag(what, "folds", list[int], [], "folds to hold out in turn [all of the data set]")
    parsing.add_flag(
        what, "grid", list[str], [], "settings to vary: SETTING=VALUE,VALUE .., e.g. loss.alpha=1,1.5,2 lr=0.01,0.1"
    )
    parsing.add_flag(
        what,
        "select",
        list[str],
        [],
        "val [SETTING ..]: each variant's settings of the grid (or some) are chosen on validation in its fold",
    )
    parsing.add_flag(
        what,
        "controls",
        list[str],
        None,
        "add what CRL must beat: CE with lr x (1+beta/alpha), CE with weight decay / (1+beta/alpha), SM-Softmax,"
        " Poly-1; bare: all four, or some of lr wd soft-margin poly1",
    )


def plan_study(words: list[str], parsed: Any, threads: int, parser_of: ParserOf) -> Study:
    """The study that flags describe.

    Args:
        words: of the command line.
        parsed: the same, parsed.
        threads: of each cell.
        parser_of: makes the command's parser, for what the same flags mean for another method.
    Raises:
        FinegrainedError: settings that no cell could run with.
    """
    recipe = with_absolute_paths(settings.to_recipe(parsed))
    variants = variants_of(words, parsed, parser_of)
    folds = [*parsed.folds] or ([None] if recipe.split else _all_folds(recipe.replace(fold=None)))
    origin = _origin(variants, parsed, parser_of)
    study = Study(variants, folds, [*parsed.seeds] or [recipe.seed], threads, _selected(parsed), origin)
    make_cells(study.variants, study.folds, study.seeds)
    return study


def _origin(variants: dict[str, Recipe], parsed: Any, parser_of: ParserOf) -> Origin | None:
    """The study file that the words began with, and what became of its settings."""
    if parsed.study is None:
        return None
    file = find_study(parsed.study)
    part, scale = parsed.part or next(iter(file.parts)), parsed.scale or AS_PRINTED
    words = with_study([f"--study={file.name}", f"--part={part}", f"--data={parsed.data}"])
    printed = variants_of(words, parser_of(words).parse(words), parser_of)
    return Origin(file.name, part, scale, departures(variants, printed))


def variants_of(words: list[str], parsed: Any, parser_of: ParserOf) -> dict[str, Recipe]:
    """What flags compare, by name; see `plan_study`."""
    if not parsed.methods:
        return _variants(with_absolute_paths(settings.to_recipe(parsed)), parsed)
    recipes = {name: _recipe_of_method(words, name, parser_of) for name in _once("methods", parsed.methods)}
    return {f"{v} method={name}": r for name, recipe in recipes.items() for v, r in _variants(recipe, parsed).items()}


def _selected(parsed: Any) -> tuple[str, ...]:
    """The settings of the grid that are chosen on validation: all, or those named."""
    if not parsed.select:
        return ()
    part, *named = parsed.select
    if part != "val":
        raise FinegrainedError(
            f"--select {part}: settings are chosen on val alone; chosen on test, it would grade itself"
        )
    grid = list(parse_grid(parsed.grid))
    chosen = [name.replace("-", "_") for name in named] or grid
    unknown = [name for name in chosen if name not in grid]
    if not grid or unknown:
        raise FinegrainedError(
            f"--select val {' '.join(unknown)}: not in the grid; --grid SETTING=VALUE,VALUE gives it"
        )
    return tuple(chosen)


def _recipe_of_method(words: list[str], method: str, parser_of: ParserOf) -> Recipe:
    """What the same flags mean for another method."""
    asked = [*words, "--method.name", method]
    return with_absolute_paths(settings.to_recipe(parser_of(asked).parse(asked)))


def _variants(recipe: Recipe, parsed: Any) -> dict[str, Recipe]:
    _check_axes(recipe, parsed)
    names = _once("losses", [*parsed.losses] or [recipe.loss.name])
    bases = [completed(_with_loss(recipe, name)) for name in names]
    return make_variants(bases, parse_grid(parsed.grid), parsed.controls, completed)


def _with_loss(recipe: Recipe, name: str) -> Recipe:
    """The recipe with another loss; options that it sets for its own loss hold for that one alone."""
    return recipe if name == recipe.loss.name else recipe.replace(loss=Component(name))


def _once(flag: str, names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise FinegrainedError(f"--{flag} {' '.join(names)}: one of them twice; give each once")
    return names


def _check_axes(recipe: Recipe, parsed: Any) -> None:
    check_recipe(recipe.replace(fold=None))
    if any(seed < 0 for seed in parsed.seeds):
        raise FinegrainedError("--seeds must not be negative")
    if "auto" in (recipe.precision, recipe.memory_format):
        raise FinegrainedError(
            "--precision auto and --memory-format auto may choose differently in each cell: name them for a study"
        )


def completed(recipe: Recipe) -> Recipe:
    """The recipe with every option filled in and every type checked, by the parser that reads recipe files."""
    return _completed(json.dumps(recipe.as_dict(), sort_keys=True))


@functools.lru_cache(maxsize=1000)  # a study by its name asks twice for most of its variants
def _completed(recipe: str) -> Recipe:
    completed = settings.recipe_of(json.loads(recipe))
    check_recipe(completed)
    return completed


def _all_folds(recipe: Recipe) -> list[int | None]:
    from finegrained_crl.training.assembly import read_records

    folds = sorted(int(fold) for fold in read_records(recipe).table["fold"].dropna().unique())
    return [*folds] or [None]
