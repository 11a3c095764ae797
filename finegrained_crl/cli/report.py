"""`fgcrl report`: a study's figures as report.md, CSV and LaTeX. Reads the study's folder only, and needs no torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

summary = "write a study's report: report.md, tables as CSV and LaTeX"
example = "fgcrl report studies/faces"


def main(argv: list[str]) -> int:
    """Collect, compute, write."""
    from finegrained_crl.crossval.collect import collect
    from finegrained_crl.reports.study import study_figures
    from finegrained_crl.reports.study_report import report_sheets, write_report

    parsed = _parser().parse_args(argv)
    out = Path(parsed.out or parsed.study)
    if out.exists() and not out.is_dir():
        raise FinegrainedError(f"--out {out} is a file: give a folder")
    collected = collect(Path(parsed.study), accept_differences=parsed.accept_changed_data)
    figures = study_figures(collected, baseline=parsed.baseline, decoder=parsed.decoder, rope=parsed.rope)
    written = write_report(out, collected, figures)
    if parsed.json:
        print(
            json.dumps(
                {
                    "files": [str(path) for path in written],
                    "headline": figures.headline,
                    "differences": json.loads(figures.differences.to_json(orient="records")),
                    "variants": json.loads(figures.variants.to_json(orient="records")),
                },
                indent=2,
            )
        )
        return 0
    from finegrained_crl.cli.show import print_table

    for note in figures.notes:
        print(note)
    for sheet in report_sheets(collected, figures)[:1]:
        print_table(sheet.title, sheet.columns, sheet.rows)
        print(sheet.text)
    for sentence in figures.headline:
        print(sentence)
    print(f"report: {written[0]} and {len(written) - 1} tables in {out / 'tables'}")
    return 0


def _points(text: str) -> float:
    points = float(text)
    if not 0 <= points < 100:
        raise argparse.ArgumentTypeError(f"must be from 0 to 100 points, got {text}")
    return points


def _parser() -> Parser:
    parser = Parser(prog="fgcrl report", description=summary, epilog=f"example: {example}")
    parser.add_argument("study", metavar="STUDY", help="folder of a study, as `fgcrl crossval` left it")
    parser.add_argument("--out", metavar="DIR", help="folder to write into [STUDY]")
    parser.add_argument(
        "--baseline", metavar="VARIANT", help="variant that the others are compared with [ce, else the first]"
    )
    parser.add_argument(
        "--decoder", choices=("argmax", "median", "mean"), help="how an age group is chosen [as each run says]"
    )
    parser.add_argument(
        "--rope",
        type=_points,
        default=0.0,
        metavar="POINTS",
        help="differences of less than so many points make no difference in practice [0: none is small enough]",
    )
    parser.add_argument(
        "--accept-changed-data",
        action="store_true",
        help="compare cells that don't belong together; the report says so",
    )
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser
