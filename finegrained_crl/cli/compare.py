"""`fgcrl compare`: finished runs side by side in the terminal; without torch."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

summary = "show runs side by side: figures with intervals, settings that differ, learning curves"
example = "fgcrl compare runs/first runs/second --curves curves.png"
PICTURES = (".png", ".svg", ".pdf")


def main(argv: list[str]) -> int:
    """Print two tables, and draw the curves where --curves says so."""
    from finegrained_crl.reports.side_by_side import run_names, side_by_side

    parser = Parser(prog="fgcrl compare", description=summary, epilog=f"example: {example}")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished runs, or of evaluations")
    parser.add_argument("--curves", metavar="FILE", help="draw the learning curves: .png, .svg or .pdf")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parsed = parser.parse_args(argv)
    folders = [Path(run) for run in parsed.runs]
    if parsed.curves and Path(parsed.curves).suffix not in PICTURES:
        raise FinegrainedError(f"--curves {parsed.curves}: give a .png, .svg or .pdf file")
    told = side_by_side(folders)
    if parsed.curves:
        from finegrained_crl.reports.curves import draw_curves

        draw_curves(dict(zip(run_names(folders), folders, strict=True)), Path(parsed.curves))
    if parsed.json:
        print(json.dumps({**told, "curves": parsed.curves}, indent=2))
    else:
        _show(told, parsed.curves)
    return 0


def _show(told: dict, curves: str | None) -> None:
    from finegrained_crl.cli.show import print_table
    from finegrained_crl.metrics.catalogue import FIGURES
    from finegrained_crl.reports.side_by_side import figure_sheet

    sheet = figure_sheet(told, list(FIGURES))
    print_table(sheet.title, sheet.columns, sheet.rows)
    print(sheet.text)
    if told["settings"]:
        rows = [[setting, *values.values()] for setting, values in told["settings"].items()]
        print_table("Settings that differ", ("setting", *sheet.columns[1:]), rows)
    for note in told["notes"]:
        print(f"note: {note}")
    if curves:
        print(f"curves: {curves}")
