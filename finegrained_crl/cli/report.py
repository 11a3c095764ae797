"""`fgcrl report`: a page to look at, report.md, CSV and LaTeX. Reads folders only, and needs no torch."""

from __future__ import annotations

import argparse
import json
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl import escaping
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.across_data import is_across_data

if TYPE_CHECKING:
    from finegrained_crl.crossval.gather import Gathered
    from finegrained_crl.reports.study import StudyFigures

summary = "write the report of studies or runs: a page, report.md, tables as CSV and LaTeX"
example = "fgcrl report studies/faces"


def main(argv: list[str]) -> int:
    """Collect, compute, write; again and again with --watch."""
    parsed = _parser().parse_args(argv)
    folders = [Path(path) for path in [*parsed.paths, *parsed.compare]]
    if not folders:
        raise FinegrainedError(f"give the folder of a study or run: {example}")
    parts = _parts(folders)
    return _each_part(parts, parsed) if parts else _report(folders, parsed)


def _parts(folders: list[Path]) -> list[Path]:
    """The studies inside a folder that is none itself: the parts of a study file, as `fgcrl crossval --study` leaves
    them.
    """
    if len(folders) > 1 or not folders[0].is_dir():
        return []
    from finegrained_crl.crossval.study import StudyFolder
    from finegrained_crl.training.run_folder import RunFolder

    folder = folders[0]
    if StudyFolder(folder).exists or RunFolder(folder).holds_run:
        return []
    return [part for part in sorted(folder.iterdir()) if StudyFolder(part).exists]


def _each_part(parts: list[Path], parsed: argparse.Namespace) -> int:
    """A report for each, inside it or in a folder of its name: parts are of different data and can't be one table."""
    if parsed.watch or parsed.json:
        asked = "--watch" if parsed.watch else "--json"
        raise FinegrainedError(f"{asked} reports one study, and {parts[0].parent} holds {len(parts)}: give {parts[0]}")
    for part in parts:
        print(f"part {part.name}: {part}")
        own = {**vars(parsed), "out": str(Path(parsed.out) / part.name) if parsed.out else None}
        _report([part], argparse.Namespace(**own))
    return 0


def _report(folders: list[Path], parsed: argparse.Namespace) -> int:
    out = _out(folders, parsed.out)
    if is_across_data(folders):
        return _across_data(folders, out, as_json=parsed.json)
    while True:
        gathered, figures, written = _write(folders, out, parsed)
        if not parsed.watch or not _unfinished(gathered):
            break
        time.sleep(parsed.watch)
    if parsed.json:
        print(json.dumps(_as_json(figures, written), indent=2))
    else:
        _show(gathered, figures, written)
    if parsed.open:
        webbrowser.open((out / "report.html").resolve().as_uri())
    return 0


def _out(folders: list[Path], asked: str | None) -> Path:
    if asked is None and len(folders) > 1:
        raise FinegrainedError("--out is missing: give the folder for the report of several studies or runs")
    out = Path(asked) if asked else folders[0]
    if not asked and not (out / "study.yaml").is_file() and (out / "COMMITTED").is_file():
        # A finished run's folder is sealed: what is added to it would look like damage.
        raise FinegrainedError(f"{out} is a finished run, and stays as it is: give --out DIR for its report")
    if out.exists() and not out.is_dir():
        raise FinegrainedError(f"--out {out} is a file: give a folder")
    return out


def _write(folders: list[Path], out: Path, parsed: argparse.Namespace) -> tuple[Gathered, StudyFigures, list[Path]]:
    from finegrained_crl.crossval.gather import gather
    from finegrained_crl.reports.page.context import PageOptions, make_page
    from finegrained_crl.reports.page.render import write_page
    from finegrained_crl.reports.study import study_figures
    from finegrained_crl.reports.study_report import write_report

    gathered = gather(folders, accept_differences=parsed.accept_changed_data)
    collected = gathered.collected
    how: dict[str, Any] = {"rope": parsed.rope, "subgroups": parsed.subgroup}
    figures = study_figures(collected, baseline=parsed.baseline, decoder=parsed.decoder, **how)
    written = write_report(out, collected, figures)
    options = PageOptions(parsed.anonymous, parsed.max_images, parsed.near_copies)
    page = make_page(gathered.title, gathered.by_variant, collected, figures, options)
    return gathered, figures, [*written, *write_page(out, page, figures.primary)]


def _across_data(folders: list[Path], out: Path, *, as_json: bool) -> int:
    """Runs on several data sets: one table, since nothing of them can be paired."""
    from finegrained_crl.cli.show import print_table
    from finegrained_crl.reports.across_data import across_data, across_notes, across_sheet, write_across_data

    rows = across_data(folders)
    written = write_across_data(out, rows)
    if as_json:
        print(json.dumps({"files": [str(path) for path in written], "rows": rows}, indent=2))
        return 0
    sheet = across_sheet(rows)
    print_table(sheet.title, sheet.columns, sheet.rows)
    print(sheet.text)
    for note in across_notes(rows):
        print(f"note: {escaping.plain(note)}")
    print(f"report: {written[0]}")
    return 0


def _unfinished(gathered: Gathered) -> bool:
    return bool((gathered.collected.cells["state"] != "done").any())


def _as_json(figures: StudyFigures, written: list[Path]) -> dict[str, Any]:
    return {
        "files": [str(path) for path in written],
        "headline": figures.headline,
        "differences": json.loads(figures.differences.to_json(orient="records")),
        "variants": json.loads(figures.variants.to_json(orient="records")),
    }


def _show(gathered: Gathered, figures: StudyFigures, written: list[Path]) -> None:
    from finegrained_crl.cli.show import print_table
    from finegrained_crl.reports.study_report import report_sheets

    for note in figures.notes:
        print(note)
    for sheet in report_sheets(gathered.collected, figures)[:1]:
        print_table(sheet.title, sheet.columns, sheet.rows)
        print(sheet.text)
    for sentence in figures.headline:
        print(sentence)
    page = next(path for path in written if path.name == "report.html")
    print(f"report: {page} and {written[0]}, {len(written) - 2} tables and figures beside them")


def _points(text: str) -> float:
    points = float(text)
    if not 0 <= points < 100:
        raise argparse.ArgumentTypeError(f"must be from 0 to 100 points, got {text}")
    return points


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 10_000:
        raise argparse.ArgumentTypeError(f"must be from 0 to 10000, got {text}")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"must be from 1 to 86400, got {text}")
    return seconds


def _parser() -> Parser:
    parser = Parser(prog="fgcrl report", description=summary, epilog=f"example: {example}")
    _add_studies(parser)
    _add_figures(parser)
    _add_page(parser)
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser


def _add_studies(parser: Parser) -> None:
    """What is read and where it goes."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="folders of studies, of finished runs, or of evaluations"
    )
    parser.add_argument(
        "--compare", nargs=2, default=[], metavar=("A", "B"), help="two studies side by side, as if both were PATHS"
    )
    parser.add_argument("--out", metavar="DIR", help="folder to write into [that of the study]")


def _add_figures(parser: Parser) -> None:
    """What is compared with what."""
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
        "--subgroup",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column of the predictions to divide figures by; may be repeated [those of the data set]",
    )


def _add_page(parser: Parser) -> None:
    """What the page shows, and when it is written."""
    parser.add_argument(
        "--anonymous", action="store_true", help="a page without pictures, paths, subjects and folder names"
    )
    parser.add_argument("--max-images", type=_number, default=60, metavar="N", help="pictures in the page [60]")
    parser.add_argument(
        "--near-copies",
        action="store_true",
        help="look for near-copies across the split, however many pictures there are [up to 1500]",
    )
    parser.add_argument(
        "--watch", type=_seconds, metavar="SECONDS", help="write again every so many seconds until no cell is missing"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--accept-changed-data",
        action="store_true",
        help="compare cells that don't belong together; the report says so",
    )
