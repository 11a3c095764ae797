"""`fgcrl retrofit patch REPO > crl.patch`: the choice of sites as a diff that `git apply` takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.asked import asked_repository, check_asked
from finegrained_crl.retrofit.patch import make_patch
from finegrained_crl.retrofit.scan import scan
from finegrained_crl.retrofit.shims.names import check_shims
from finegrained_crl.retrofit.sites.decision import Choice
from finegrained_crl.retrofit.sites.place import check_sites
from finegrained_crl.retrofit.sites.profiles import Profile, find_profile, recognise

summary = "print the same choice as a diff for `git apply`"


def main(argv: list[str]) -> int:
    """Print the diff to standard output and a summary to standard error."""
    at = argv.index("--") if "--" in argv else len(argv)
    argv, program = argv[:at], argv[at + 1 :]
    options = build_parser().parse_args(argv)
    if (options.check is not None) != bool(program):
        raise FinegrainedError("--check N and a program belong together: .. patch REPO --check 5 -- python train.py")
    if options.check is not None and options.check < 1:
        raise FinegrainedError(f"--check must be at least 1, got {options.check}")
    root = asked_repository(options)
    check_sites([*options.only, *options.skip])
    for name in ("alpha", "beta"):
        if not 0 <= getattr(options, name) < float("inf"):
            raise FinegrainedError(f"--{name} must be at least 0, got {getattr(options, name)}")
    profile = find_profile(options.profile) if options.profile else recognise(root)
    choice = Choice(tuple(options.only), tuple(options.skip))
    choice = profile.choice(choice, root) if profile else choice
    shims = _shims(options, profile, root)
    scanned = scan(root, choice)
    check_asked(scanned, [*options.only, *options.skip])
    patch = make_patch(scanned, options.alpha, options.beta)
    for site, reason in patch.refused.items():
        print(f"not in the patch: {site}: {reason}", file=sys.stderr)
    for site in patch.shared:
        print(
            f"check {site}: nothing around it tells training from evaluation; in the patch it is CRL for whoever"
            " calls it",
            file=sys.stderr,
        )
    if not patch.diff:
        raise FinegrainedError("no site to change; `fgcrl retrofit scan` shows what there is and why it is left")
    if options.check is not None:
        _check(root, patch.diff, program, options, choice, shims)
    sys.stdout.buffer.write(patch.diff)
    sys.stdout.flush()
    print(
        f"{len(patch.edited)} places: {', '.join(patch.edited)}; apply in {root}: git apply crl.patch (undo: git"
        " apply -R)",
        file=sys.stderr,
    )
    return 0


def _shims(options: argparse.Namespace, profile: Profile | None, root: Path) -> tuple[str, ...]:
    """What the two programs of --check need: as asked, and the profile's."""
    asked = check_shims([name for name in options.shims.split(",") if name])
    if asked and options.check is None:
        raise FinegrainedError("--shims is for the programs of --check N; a diff needs none")
    return tuple(dict.fromkeys([*asked, *(profile.shims(root) if profile else ())]))


def _check(
    root: Path,
    diff: bytes,
    program: list[str],
    options: argparse.Namespace,
    choice: Choice,
    shims: tuple[str, ...],
) -> None:
    from finegrained_crl.retrofit.check import check
    from finegrained_crl.retrofit.launch import command_of
    from finegrained_crl.retrofit.sites.settings import Settings

    settings = Settings(
        only=choice.only,
        skip=choice.skip,
        roles=choice.roles,
        alpha=options.alpha,
        beta=options.beta,
        shims=shims,
    )
    compared = check(root, diff, command_of(program), settings, options.check)
    print(f"--check: {compared} losses of the patched program equal the retrofitted one's bit for bit", file=sys.stderr)


def build_parser() -> Parser:
    """Describe the command."""
    parser = Parser(
        prog="fgcrl retrofit patch",
        usage="fgcrl retrofit patch REPO [options]",
        description=(
            "Print the choice of sites as a diff. Imports and runs nothing of the repository and writes no file in it."
        ),
        epilog=(
            "example: fgcrl retrofit patch DCL --only utils/train_model.py:93 > crl.patch && git -C DCL apply"
            " $PWD/crl.patch"
        ),
    )
    parser.add_argument("repository", type=Path, nargs="?", metavar="REPO", help="the repository's folder")
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="SITE", help="change these calls and no others"
    )
    parser.add_argument(
        "--skip", nargs="+", action="extend", default=[], metavar="SITE", help="leave these calls as they are"
    )
    parser.add_argument("--profile", metavar="NAME", help="use this profile instead of the one that is recognised")
    parser.add_argument(
        "--check",
        type=int,
        metavar="N",
        help="first run the patched and the retrofitted program (behind --, in REPO) for N losses, and compare",
    )
    parser.add_argument(
        "--shims", default="", metavar="A,B", help="of both programs of --check; see retrofit run --help"
    )
    parser.add_argument("--alpha", type=float, default=1.5, help="of CRL [1.5]")
    parser.add_argument("--beta", type=float, default=1.0, help="of CRL [1]")
    return parser
