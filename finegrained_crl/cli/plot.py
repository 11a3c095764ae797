"""`fgcrl plot`: draw the figures that need no run. They come from closed forms, take a second, and need no torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from finegrained_crl.errors import FinegrainedError

summary = "draw figures that need no run (losses)"
example = "fgcrl plot losses --out docs/figures"


def main(argv: list[str]) -> int:
    """Draw what is asked for and print where it is.

    Args:
        argv: the arguments after `fgcrl plot`.
    Returns:
        0.
    Raises:
        FinegrainedError: the folder cannot be written.
    """
    options = build_parser().parse_args(argv)
    from finegrained_crl.reports.loss_figures import make_loss_figures

    try:
        paths = make_loss_figures(options.out)
    except OSError as error:
        raise FinegrainedError(f"--out {options.out}: cannot write there ({error.strerror}); choose another folder") from error
    print(json.dumps({"files": [str(path) for path in paths]}) if options.json else "\n".join(map(str, paths)))
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command."""
    parser = argparse.ArgumentParser(prog="fgcrl plot", description=summary, epilog=f"example: {example}")
    parser.add_argument("what", choices=["losses"], help="losses: value, gain and gradient of the losses, the margin picture")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="folder for PNG and SVG (default: figures)")
    parser.add_argument("--json", action="store_true", help="print the file list as JSON")
    return parser
