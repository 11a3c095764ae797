"""`fgcrl retrofit scan REPO`: where classification losses are built and called, and what a run would do there."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.cli.show import print_table
from finegrained_crl.retrofit.asked import asked_repository, check_asked
from finegrained_crl.retrofit.scan import scan
from finegrained_crl.retrofit.scanning.found import Scan
from finegrained_crl.retrofit.sites.decision import Choice
from finegrained_crl.retrofit.sites.place import check_sites
from finegrained_crl.retrofit.sites.profiles import find_profile, recognise

summary = "list every place where a classification loss is built or called; runs nothing"
WOULD = {"replace": "replace", "leave": "leave", "refuse": "refuse", "look": "look here", "": ""}


def main(argv: list[str]) -> int:
    """Scan, print; 0 also where nothing was found, which is an answer."""
    options = build_parser().parse_args(argv)
    root = asked_repository(options)
    check_sites([*options.only, *options.skip])
    profile = find_profile(options.profile) if options.profile else recognise(root)
    choice = Choice(tuple(options.only), tuple(options.skip))
    if profile is not None:
        choice = profile.choice(choice, root)
    scanned = scan(root, choice)
    check_asked(scanned, [*options.only, *options.skip])
    scanned.profile = profile.name if profile else ""
    if options.json:
        print(json.dumps(scanned.as_dict(), indent=2))
        return 0
    _show(scanned)
    if profile is not None:
        print(f"known repository: profile {profile.name} ({profile.describe(root)})\nrun it: {profile.command(root)}")
    return 0


def build_parser() -> Parser:
    """Describe the command."""
    parser = Parser(
        prog="fgcrl retrofit scan",
        usage="fgcrl retrofit scan REPO [options]",
        description=(
            "List every place of a repository where a classification loss is built or called. Imports and runs nothing"
            " of it."
        ),
        epilog="example: fgcrl retrofit scan DCL --json",
    )
    parser.add_argument("repository", type=Path, nargs="?", metavar="REPO", help="the repository's folder, or one file")
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="SITE", help="as for run: show what it would do"
    )
    parser.add_argument("--skip", nargs="+", action="extend", default=[], metavar="SITE", help="as for run")
    parser.add_argument("--profile", metavar="NAME", help="use this profile instead of the one that is recognised")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser


def _show(found: Scan) -> None:
    rows = [(f"{s.file}:{s.line}", s.kind, s.expression, s.role, WOULD[s.action], s.reason) for s in found.sites]
    print_table(f"{found.root}", ("site", "kind", "expression", "role", "run would", "why"), rows)
    for name, problem in found.unreadable.items():
        print(f"not readable: {name}: {problem}")
    for name, note in found.notes.items():
        print(f"note: {name}: {note}")
    print(f"{found.files} Python files, {len(found.sites)} places, {len(found.unreadable)} files not readable")
