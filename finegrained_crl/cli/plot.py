"""`fgcrl plot`: the figures of the losses (from closed forms), and the learning curves of runs; without torch."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

summary = "draw the losses, or the learning curves of runs"
example = "fgcrl plot curves runs/first runs/second --out curves.png"


def main(argv: list[str]) -> int:
    """Draw what is asked for and print where it is.

    Args:
        argv: the arguments after `fgcrl plot`.
    Returns:
        0.
    Raises:
        FinegrainedError: a folder without a run, or a target that cannot be written.
    """
    options = _parser().parse_args(argv)
    try:
        paths = (
            _losses(options.out)
            if options.what == "losses"
            else [_curves([Path(run) for run in options.runs], options.out)]
        )
    except OSError as error:
        raise FinegrainedError(
            f"--out {options.out}: cannot write there ({error.strerror}); choose another place"
        ) from error
    names = [str(path) for path in paths]
    print(json.dumps({"files": names}) if options.json else "\n".join(names))
    return 0


def _losses(out: Path) -> list[Path]:
    from finegrained_crl.reports.loss_figures import make_loss_figures

    return make_loss_figures(out)


def _curves(runs: list[Path], out: Path) -> Path:
    from finegrained_crl.reports.curves import draw_curves

    if out.suffix not in (".png", ".svg", ".pdf"):
        raise FinegrainedError(f"--out {out}: give a .png, .svg or .pdf file")
    labels = [run.name for run in runs]
    return draw_curves({(run.name if labels.count(run.name) == 1 else str(run)): run for run in runs}, out)


def _parser() -> Parser:
    parser = Parser(prog="fgcrl plot", description=summary, epilog=f"example: {example}")
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    losses = kinds.add_parser("losses", help="value, gain and gradient of the losses, the margin picture")
    losses.add_argument(
        "--out", type=Path, default=Path("figures"), metavar="DIR", help="folder for PNG and SVG [figures]"
    )
    curves = kinds.add_parser(
        "curves", help="loss (each role's by name) and accuracy over the epochs, one line per run"
    )
    curves.add_argument("runs", nargs="+", metavar="RUN", help="run folders")
    curves.add_argument(
        "--out", type=Path, default=Path("curves.png"), metavar="FILE", help=".png, .svg or .pdf [curves.png]"
    )
    for kind in (losses, curves):
        kind.add_argument("--json", action="store_true", help="print the file list as JSON")
    return parser
