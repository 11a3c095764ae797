"""`fgcrl list`: methods, data sets, losses, recipes and studies, one line each."""

from __future__ import annotations

import json

from finegrained_crl import discovery
from finegrained_crl.cli import recipe_files
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.cli.show import print_table
from finegrained_crl.losses import catalogue
from finegrained_crl.studies import find_study, study_files

summary = "show methods, data sets, losses, recipes and studies, one line each"
example = "fgcrl list losses"


def main(argv: list[str]) -> int:
    """Print one kind, or all."""
    parser = Parser(prog="fgcrl list", description=summary, epilog=f"example: {example}")
    parser.add_argument("kind", nargs="?", choices=list(KINDS), help="what to show [all]")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    arguments = parser.parse_args(argv)
    kinds = [arguments.kind] if arguments.kind else list(KINDS)
    lines = {kind: KINDS[kind]() for kind in kinds}
    if arguments.json:
        print(json.dumps(lines, indent=2))
        return 0
    for kind, entries in lines.items():
        print_table(kind, ("name", "what it is"), entries.items())
    return 0


def method_lines() -> dict[str, str]:
    """Method name -> summary."""
    return {name: load().summary for name, load in sorted(discovery.methods().items())}


def dataset_lines() -> dict[str, str]:
    """Data set name -> summary."""
    return {name: load().summary for name, load in sorted(discovery.datasets().items())}


def loss_lines() -> dict[str, str]:
    """Loss name -> summary."""
    return {name: catalogue.summary_of(name) for name in catalogue.LOSSES}


def recipe_lines() -> dict[str, str]:
    """METHOD/NAME -> what the recipe is for: its file's second line, the first being its command."""
    return {
        f"{method}/{path.stem}": path.read_text(encoding="utf-8").splitlines()[1].lstrip("# ")
        for method in sorted(discovery.methods())
        for path in recipe_files.shipped_recipes(method)
    }


def study_lines() -> dict[str, str]:
    """OWNER/NAME -> title, with its parts where it has several."""
    files = {name: find_study(name) for name in study_files()}
    return {
        name: f"{file.title} ({', '.join(file.parts)})" if len(file.parts) > 1 else file.title
        for name, file in files.items()
    }


KINDS = {
    "methods": method_lines,
    "datasets": dataset_lines,
    "losses": loss_lines,
    "recipes": recipe_lines,
    "studies": study_lines,
}
