"""`fgcrl retrofit run -- python train.py ..`: the unmodified program, with the chosen sites computing CRL."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.files import write_json
from finegrained_crl.losses.catalogue import LOSSES
from finegrained_crl.retrofit import launch
from finegrained_crl.retrofit.account.ledger import read_ledgers
from finegrained_crl.retrofit.account.receipt import NOTHING, Receipt, make_receipt, show
from finegrained_crl.retrofit.shims.names import check_shims, shim_help
from finegrained_crl.retrofit.sites.place import check_sites
from finegrained_crl.retrofit.sites.settings import Settings

summary = "run a program with the chosen places computing CRL; writes retrofit.json"
DESCRIPTION = """Run a program as its author would, with chosen calls of its classification losses computing CRL.

SITE is FILE:LINE (of the call, of a caller, or of the line that builds the criterion), FILE:FUNCTION, FILE,
FUNCTION, or a role (class, auxiliary, swap, gender, validation ..). Without --only, every call in
training is replaced; evaluation stays as it is."""
EPILOG = """examples:
  fgcrl retrofit run -- python train.py --epochs 1
  fgcrl retrofit run --only utils/train_model.py:93 -- python train.py --data CUB
  fgcrl retrofit run --alpha 2 --beta 0.25 -- torchrun --nproc-per-node 2 train.py
  fgcrl retrofit run --profile dcl -- python train.py --data CUB --cls_mul

exit code: the program's own; 3 where it succeeded but nothing was replaced, or what happened is not what was decided
(trained and left, replaced and never trained, an ingredient of another loss); 1 where it could not be started."""


def main(argv: list[str]) -> int:
    """Run the program, write and show the receipt."""
    own, command = _split(argv)
    options, unknown = _parser().parse_known_args(own)
    if unknown:
        raise FinegrainedError(
            f"unknown: {' '.join(unknown)}; the program stands behind --: fgcrl retrofit run [options] -- python"
            " train.py .."
        )
    settings, words = _settings(options, command)
    receipt_path = Path(options.receipt).absolute()
    _check_receipt(receipt_path)
    completed = launch.command_of(words)
    settings = replace(settings, root=str(_root(completed)))
    settings = _learned(completed, words, settings, options)
    if options.verify:
        from finegrained_crl.retrofit.verify import verify

        verify(completed, settings, options.verify)
    receipt = _run(completed, words, settings)
    write_json(receipt_path, receipt.as_dict())
    show(receipt, receipt_path)
    assert receipt.exit_code is not None
    if receipt.exit_code == 0 and not receipt.is_success:
        return NOTHING
    return launch.end_like(receipt.exit_code)


def _learned(
    completed: Sequence[str], words: Sequence[str], settings: Settings, options: argparse.Namespace
) -> Settings:
    """With --learn, --lock or --verify: decide from what was seen in the untouched program."""
    if options.learn is None and options.lock is None and options.verify is None:
        return settings
    from finegrained_crl.retrofit import lock

    if options.learn is None and options.lock is not None:
        return replace(settings, learned=lock.read(Path(options.lock), Path(settings.root)))
    sites = lock.learn(completed, settings, options.learn or options.verify)
    if options.learn is not None:
        lock.write(Path(options.lock or "retrofit.lock"), Path(settings.root), words, sites)
    return replace(settings, learned=tuple(sites))


def _run(completed: Sequence[str], words: Sequence[str], settings: Settings) -> Receipt:
    with tempfile.TemporaryDirectory(prefix="fgcrl-retrofit-", ignore_cleanup_errors=True) as folder:
        settings = replace(settings, folder=folder)
        code = launch.run_program(completed, settings)
        return make_receipt(settings, read_ledgers(Path(folder)), words, code)


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """What is ours and what is the program's; an option of ours behind `--` is the program's."""
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def _parser() -> Parser:
    parser = Parser(
        prog="fgcrl retrofit run",
        usage=(
            "fgcrl retrofit run [options] -- python train.py ARGS | -m module ARGS | torchrun .. | accelerate launch .."
        ),
        description=DESCRIPTION,
        epilog=EPILOG + shim_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_choice(parser)
    _add_loss(parser)
    _add_checks(parser)
    return parser


def _add_choice(parser: Parser) -> None:
    """Which calls."""
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="SITE", help="replace these calls and no others"
    )
    parser.add_argument(
        "--skip", nargs="+", action="extend", default=[], metavar="SITE", help="leave these calls as they are"
    )
    parser.add_argument(
        "--phase",
        choices=("train", "eval", "both"),
        default="train",
        help="which calls of the chosen sites: those in training, in evaluation, or both [train]",
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="go on, with a warning, where what happened is not what was decided (else exit code 3)",
    )


def _add_loss(parser: Parser) -> None:
    """What they compute, in which repository."""
    parser.add_argument("--alpha", type=float, default=None, help="of CRL, >= 0 [1.5]")
    parser.add_argument("--beta", type=float, default=None, help="of CRL, >= 0 [1]; 0 is cross-entropy")
    parser.add_argument(
        "--loss", default="crl", metavar="NAME", help="another loss of `fgcrl list losses` that works on logits [crl]"
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="sites, roles and shims of a known repository (bcnn, dfl, dcl, adience)"
    )
    parser.add_argument("--shims", default="", metavar="A,B", help="help for old or CUDA-only code, see below")


def _add_checks(parser: Parser) -> None:
    """What is looked at before, and written afterwards."""
    parser.add_argument(
        "--verify",
        type=int,
        nargs="?",
        const=10,
        metavar="N",
        help="first show over N calls [10] that beta = 0 changes no bit",
    )
    parser.add_argument(
        "--learn",
        type=int,
        nargs="?",
        const=10,
        metavar="N",
        help="first watch N updates [10] and a validation of the untouched program, and decide from what was seen",
    )
    parser.add_argument(
        "--lock",
        metavar="FILE",
        help="what was learned: written by --learn [retrofit.lock]; alone: used, if the sources are the same",
    )
    parser.add_argument(
        "--receipt", default="retrofit.json", metavar="FILE", help="where to write the receipt [retrofit.json]"
    )


def _settings(options: argparse.Namespace, command: list[str]) -> tuple[Settings, list[str]]:
    check_sites([*options.only, *options.skip])
    shims = check_shims([name for name in options.shims.split(",") if name])
    _check_loss(options)
    for name in ("verify", "learn"):
        steps = getattr(options, name)
        if steps is not None and steps < 1:
            raise FinegrainedError(f"--{name} must be at least 1, got {steps}")
    settings = Settings(
        only=tuple(options.only),
        skip=tuple(options.skip),
        loss=options.loss,
        alpha=1.5 if options.alpha is None else options.alpha,
        beta=1.0 if options.beta is None else options.beta,
        shims=tuple(shims),
        phase=options.phase,
        lenient=options.lenient,
    )
    if options.profile:
        from finegrained_crl.retrofit.sites.profiles import apply_profile, find_profile

        settings = apply_profile(options.profile, settings)
        if not (known := find_profile(options.profile)).match(Path.cwd()):
            names = ", ".join(repository["repository"] for repository in known.repositories)
            print(
                f"profile {options.profile}: this folder is not {names} as known; its sites are line numbers, check"
                " them",
                file=sys.stderr,
            )
    return settings, command


def _check_loss(options: argparse.Namespace) -> None:
    for name in ("alpha", "beta"):
        value = getattr(options, name)
        if value is not None and not 0 <= value < float("inf"):
            raise FinegrainedError(f"--{name} must be at least 0, got {value}")
        if value is not None and options.loss != "crl":
            raise FinegrainedError(f"--{name} belongs to CRL; leave it out with --loss {options.loss}")
    if options.loss != "crl":
        _check_other_loss(options.loss)


def _check_other_loss(name: str) -> None:
    """Against the catalogue first: it answers without torch, whose import costs a second."""
    if name not in LOSSES:
        raise FinegrainedError(f"unknown loss '{name}': {nearest(name, LOSSES)}")
    from finegrained_crl.retrofit.losses.replacement import Replacement

    Replacement(name)


def _check_receipt(path: Path) -> None:
    if path.is_dir():
        raise FinegrainedError(f"--receipt {path}: that is a folder; name a file in it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise FinegrainedError(f"--receipt {path}: can't write there; choose a folder that exists")


def _root(command: Sequence[str]) -> Path:
    """The folder that sites are named from: the repository around the script, or around the working folder."""
    script = launch.script_of(command)
    start = script.resolve().parent if script else Path.cwd()
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    return Path.cwd() if start.is_relative_to(Path.cwd()) else start
