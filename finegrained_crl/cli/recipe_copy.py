"""`fgcrl recipe copy`: a shipped recipe as a file of one's own."""

from __future__ import annotations

from pathlib import Path

from finegrained_crl import files
from finegrained_crl.cli import recipe_files
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError

summary = "write a recipe to a file, to change it and pass it with --recipe FILE"
example = "fgcrl recipe copy resnet/cub my-cub.yaml"


def main(argv: list[str]) -> int:
    """Copy; an existing file is kept."""
    parser = Parser(prog="fgcrl recipe copy", description=summary, epilog=f"example: {example}")
    parser.add_argument("recipe", metavar="NAME", help="METHOD/NAME, or NAME of method resnet; `fgcrl list recipes`")
    parser.add_argument("file", metavar="FILE", type=Path, help="where to; a .yaml file that is not there yet")
    arguments = parser.parse_args(argv)
    target: Path = arguments.file
    if target.suffix not in (".yaml", ".yml"):
        raise FinegrainedError(f"{target}: give a name that ends in .yaml, so that --recipe takes it for a file")
    if target.exists():
        raise FinegrainedError(f"{target} is there already: choose another name")
    content = read_regular(recipe_files.find_recipe(arguments.recipe, "resnet"))
    files.write_bytes(target, content)
    print(f"{target}: change it, then fgcrl finetune --recipe {target} --data ..")
    return 0
