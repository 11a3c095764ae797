"""`fgcrl recipe diff`: the settings in which two recipes, files or runs differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finegrained_crl.cli import recipe_files, settings
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.cli.show import print_table
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_folder import RunFolder

summary = "show the settings in which two recipes, recipe files or runs differ"
example = "fgcrl recipe diff resnet/cub my.yaml"
ABSENT = "-"
"""Stands for an option that the other one's loss, method or data set does not have."""


def main(argv: list[str]) -> int:
    """Print a row per setting; two that agree say so."""
    parser = Parser(prog="fgcrl recipe diff", description=summary, epilog=f"example: {example}")
    help_text = "run folder, recipe file, or METHOD/NAME of a shipped recipe"
    parser.add_argument("first", metavar="A", help=help_text)
    parser.add_argument("second", metavar="B", help=help_text)
    parser.add_argument("--json", action="store_true", help="print as JSON")
    arguments = parser.parse_args(argv)
    names = (arguments.first, arguments.second)
    differing = recipe_differences(*(read_recipe(name) for name in names))
    if arguments.json:
        print(
            json.dumps({setting: dict(zip("AB", pair, strict=True)) for setting, pair in differing.items()}, indent=2)
        )
    elif differing:
        print_table(f"{len(differing)} settings differ", ("setting", *names), rows_of(differing))
    else:
        print(f"{names[0]} and {names[1]} have the same settings")
    return 0


def rows_of(differing: dict[str, tuple[Any, Any]]) -> list[list[str]]:
    """For a table."""
    return [[setting, str(one), str(other)] for setting, (one, other) in differing.items()]


def read_recipe(name: str) -> Recipe:
    """The complete recipe of a run folder, a file or a shipped name.

    Raises:
        FinegrainedError: none of these, or a recipe that can't be read.
    """
    if RunFolder(Path(name)).recipe.is_file():
        return complete(RunFolder(Path(name)).read_recipe())
    return complete(recipe_files.read_recipe_file(recipe_files.find_recipe(name, "resnet")))


def complete(content: dict[str, Any]) -> Recipe:
    """What a recipe file says, and the defaults of what it does not say, by the parser that a run reads it with."""
    return settings.recipe_of(content)


def recipe_differences(one: Recipe, other: Recipe) -> dict[str, tuple[Any, Any]]:
    """Setting -> its two values, options of components as "loss.alpha"."""
    first, second = (_flat(recipe) for recipe in (one, other))
    pairs = {setting: (first.get(setting, ABSENT), second.get(setting, ABSENT)) for setting in {**first, **second}}
    return {setting: pair for setting, pair in pairs.items() if pair[0] != pair[1]}


def _flat(recipe: Recipe) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in recipe.as_dict().items():
        inner = {f"{key}.{option}": setting for option, setting in value.items()} if isinstance(value, dict) else None
        flat |= {key: value} if inner is None else inner
    return flat
