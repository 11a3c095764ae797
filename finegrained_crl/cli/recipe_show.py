"""`fgcrl recipe show`: a shipped recipe as it stands in its file."""

from __future__ import annotations

from finegrained_crl.cli import recipe_files
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.data.regular import read_regular

summary = "print a recipe: its command, what it is for, every setting"
example = "fgcrl recipe show dcl/cub"


def main(argv: list[str]) -> int:
    """Print the file."""
    parser = Parser(prog="fgcrl recipe show", description=summary, epilog=f"example: {example}")
    parser.add_argument("recipe", metavar="NAME", help="METHOD/NAME, or NAME of method resnet; `fgcrl list recipes`")
    path = recipe_files.find_recipe(parser.parse_args(argv).recipe, "resnet")
    print(read_regular(path).decode("utf-8"), end="")
    return 0
