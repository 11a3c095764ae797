"""`fgcrl data prepare NAME`: a copy of a data set with smaller pictures; `faces`: a data set of photographs' faces."""

from __future__ import annotations

import json
from pathlib import Path

from finegrained_crl import discovery
from finegrained_crl.cli import data_prepare_faces, parsing
from finegrained_crl.cli.progress import bar
from finegrained_crl.errors import FinegrainedError

summary = "copy a data set with its pictures resized to a short side: decoded several times as fast; or cut out faces"
example = "fgcrl data prepare cub200 --data CUB_200_2011 --short-side 512 --out CUB_512"
FACES = "faces"
"""No data set, but photographs whose faces become one (`data_prepare_faces.py`)."""


def main(argv: list[str]) -> int:
    """Prepare one data set, or go on with a copy that was interrupted."""
    if argv[:1] == [FACES]:
        return data_prepare_faces.main(argv[1:])
    name, words = parsing.named(argv, "data prepare", [*discovery.datasets(), FACES], example)
    cls = discovery.find("data set", name, discovery.datasets())
    parser = parsing.SettingsParser(
        prog=f"fgcrl data prepare {name}", description=cls.summary, epilog=f"example: {example}"
    )
    parsing.add_flag(parser, "data", str, "", "folder (or CSV file) that holds the data set")
    parsing.add_flag(parser, "short_side", int, 512, "pixels of the shorter side; smaller pictures stay as they are")
    parsing.add_flag(parser, "out", str, "", "folder for the copy; the same command goes on with an unfinished one")
    parsing.add_flag(parser, "convert_images", bool, False, "convert CMYK, 16-bit and transparent images")
    parsing.add_flag(parser, "json", bool, False, "print as JSON")
    options = parsing.add_options(parser, cls)
    parsed = parser.parse(words)
    if not parsed.data or not parsed.out:
        raise FinegrainedError(f"--{'data' if not parsed.data else 'out'} is missing: {example}")
    if not 16 <= parsed.short_side <= 8192:
        raise FinegrainedError(f"--short-side must be from 16 to 8192, got {parsed.short_side}")
    from finegrained_crl.data.prepared import Preparation, prepare

    data = Path(parsed.data)
    records = cls(**{option: parsed[option] for option in options}).read(data)
    work = Preparation(records, data, Path(parsed.out), parsed.short_side, parsed.convert_images)
    with bar(f"preparing {name}") as progress:
        note = prepare(work, progress)
    if parsed.json:
        print(json.dumps(note, indent=2))
    else:
        size = f"{note['bytes'] / 2**20:,.0f} MiB"
        print(f"{note['pictures']} pictures ({note['resized']} resized), {size} in {parsed.out}")
        print(f"train on it as before, with --data {parsed.out}; `fgcrl data verify {name}` checks it")
    return 0
