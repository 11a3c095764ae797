"""`fgcrl data verify NAME`: labels, counts and images of a data set."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl import discovery
from finegrained_crl.cli import parsing
from finegrained_crl.cli.data_verify_view import show
from finegrained_crl.errors import FinegrainedError

summary = "compare counts with the published ones, find missing, unreadable, empty and duplicate images"
example = "fgcrl data verify cub200 --data CUB_200_2011"


def main(argv: list[str]) -> int:
    """Check one data set; exit code 1 when something is wrong with it."""
    name, words = parsing.named(argv, "data verify", discovery.datasets(), example)
    cls = discovery.find("data set", name, discovery.datasets())
    where = " ".join(cls.where.split())
    parser = parsing.SettingsParser(prog=f"fgcrl data verify {name}", description=cls.summary, epilog=where)
    parsing.add_flag(parser, "data", str, "", "folder (or CSV file) that holds the data set")
    parsing.add_flag(parser, "labels_only", bool, False, "read annotation files alone; no image needs to be there")
    parsing.add_flag(parser, "convert_images", bool, False, "accept CMYK, 16-bit and transparent images")
    parsing.add_flag(parser, "json", bool, False, "print as JSON")
    options = parsing.add_options(parser, cls)
    parsed = parser.parse(words)
    if not parsed.data:
        raise FinegrainedError(f"--data is missing. {where}")
    if not Path(parsed.data).exists():
        raise FinegrainedError(f"--data {Path(parsed.data).absolute()} does not exist. {where}")
    from finegrained_crl.data.verify import verify

    source = cls(**{option: parsed[option] for option in options})
    report = verify(source, name, Path(parsed.data), labels_only=parsed.labels_only, convert=parsed.convert_images)
    if parsed.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        show(report.as_dict())
    return 0 if report.ok else 1
