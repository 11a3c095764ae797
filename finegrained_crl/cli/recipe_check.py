"""`fgcrl recipe check`: whether a recipe file would run, without running it."""

from __future__ import annotations

import dataclasses
import json

from finegrained_crl.cli import recipe_files
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.cli.recipe_diff import complete
from finegrained_crl.training.ranges import check_recipe
from finegrained_crl.training.recipe import Recipe

summary = "check a recipe file: names, types, ranges, settings that exclude each other"
example = "fgcrl recipe check my.yaml"


def main(argv: list[str]) -> int:
    """Read the file as a run would; an error is one line and exit code 1."""
    parser = Parser(prog="fgcrl recipe check", description=summary, epilog=f"example: {example}")
    parser.add_argument("recipe", metavar="FILE", help="a recipe file, or METHOD/NAME of a shipped one")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    arguments = parser.parse_args(argv)
    path = recipe_files.find_recipe(arguments.recipe, "resnet")
    content = recipe_files.read_recipe_file(path)
    recipe = complete(content)
    check_recipe(recipe.replace(data=recipe.data or "."))  # a recipe file seldom names the data: --data does
    absent = [field.name for field in dataclasses.fields(Recipe) if field.name not in {*content, "data"}]
    if arguments.json:
        print(json.dumps({"recipe": str(path), "defaults": absent}, indent=2))
        return 0
    print(
        f"{path}: method {recipe.method.name}, loss {recipe.loss.name}, {recipe.epochs} epochs; every setting is fine"
    )
    if absent:
        print(f"at their defaults, as the file does not say: {', '.join(absent)}")
    return 0
