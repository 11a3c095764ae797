"""`fgcrl data make NAME DIR`: a generated data set in an official layout."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from finegrained_crl import discovery
from finegrained_crl.cli import parsing
from finegrained_crl.cli.progress import bar
from finegrained_crl.errors import FinegrainedError

summary = "draw a generated data set in an official layout: birds (CUB-200-2011), faces (Adience), stripes (CIFAR)"
example = "fgcrl data make demo-birds demo/birds"


def main(argv: list[str]) -> int:
    """Draw one demo set."""
    name, words = parsing.named(argv, "data make", discovery.makers(), example)
    maker = discovery.find("demo set", name, discovery.makers())
    description = (inspect.getdoc(maker) or "").partition("\n")[0]
    parser = parsing.SettingsParser(prog=f"fgcrl data make {name} DIR", description=description)
    parser.add_argument("folder", type=str, help="folder to make")
    options = parsing.add_options(parser, maker, skip=("folder", "progress"))
    parsing.add_flag(parser, "json", bool, False, "print as JSON")
    if not words or (words[0].startswith("-") and not parsing.asks_for_help(words)):
        raise FinegrainedError(f"`fgcrl data make {name}` needs a folder: fgcrl data make {name} DIR")
    parsed = parser.parse(words)
    chosen = {option: parsed[option] for option in options}
    with bar(f"drawing {name}") as progress:
        maker(Path(parsed.folder), progress=progress, **chosen)
    if parsed.json:
        print(json.dumps({"name": name, "folder": parsed.folder, **chosen}, indent=2))
    else:
        print(f"{name} drawn into {parsed.folder}: {', '.join(f'{key} {value}' for key, value in chosen.items())}")
    return 0
