"""`fgcrl runs`: what a folder of experiments holds; without torch."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl.cli.arguments import Parser

summary = "list the runs and studies below a folder, and write an index of their reports"
example = "fgcrl runs studies --sort score"


def main(argv: list[str]) -> int:
    """List, and write index.html."""
    from finegrained_crl.reports.page.index_page import write_index
    from finegrained_crl.reports.runs_index import COLUMNS, chosen, list_entries

    parser = Parser(prog="fgcrl runs", description=summary, epilog=f"example: {example}")
    parser.add_argument("folder", metavar="DIR", help="folder that holds runs and studies, at any depth")
    parser.add_argument("--filter", nargs="*", default=[], metavar="WORD", help="only those that hold every word")
    parser.add_argument("--sort", choices=COLUMNS[:-1], default="folder", help="column to sort by [folder]")
    parser.add_argument("--no-index", action="store_true", help="write no index.html")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parsed = parser.parse_args(argv)
    root = Path(parsed.folder)
    entries = chosen(list_entries(root), parsed.filter, parsed.sort)
    index = None if parsed.no_index else write_index(root, entries)
    if parsed.json:
        print(json.dumps([vars(entry) for entry in entries], indent=2))
        return 0
    from finegrained_crl.cli.show import print_table

    rows = []
    for entry in entries:
        score = "-" if entry.score is None else f"{100 * entry.score:.2f}"
        ends = "" if entry.low is None or entry.high is None else f" [{100 * entry.low:.1f}, {100 * entry.high:.1f}]"
        rows.append(
            [entry.folder, entry.kind, entry.state, entry.data, entry.method, entry.loss, score + ends, entry.date]
        )
    print_table("", ("folder", "kind", "state", "data", "method", "loss", "score %", "written (UTC)"), rows)
    if index:
        print(f"index: {index}")
    return 0
