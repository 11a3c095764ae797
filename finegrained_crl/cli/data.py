"""`fgcrl data`: check a data set, audit it for leaks (`cli/audit.py`), or draw a demo one."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from finegrained_crl import discovery
from finegrained_crl.cli import audit, settings
from finegrained_crl.cli.verify_view import show
from finegrained_crl.errors import FinegrainedError, nearest

summary = "verify a data set, audit it for leaks, or draw a demo one in an official layout"
example = "fgcrl data verify cub200 --data CUB_200_2011"

VERBS = ("verify", "audit", "make")

USAGE = """usage: fgcrl data verify NAME --data PATH [--labels-only] [--json] [options of the data set]
       fgcrl data audit  NAME --data PATH [--labels-only] [--fold N | --split S] [--json] [options of the data set]
       fgcrl data audit  --lists TRAIN.txt VAL.txt [..] [--data IMAGES] [--json]
       fgcrl data make   NAME DIR [options of the demo set]

verify  reads the labels, compares counts with the published ones, finds missing, unreadable, empty and duplicate images
audit   finds people, albums, photographs, files and near-duplicates on both sides of a split;
        exit code 1 when there are some
make    draws a generated data set; NAME is one of: {makers}

Options of a data set or demo set: fgcrl data verify NAME --help, fgcrl data audit NAME --help,
fgcrl data make NAME --help
example: {example}"""


def main(argv: list[str]) -> int:
    """Dispatch to verify, audit or make."""
    if not argv or argv[0] in ("-h", "--help") or (len(argv) > 1 and argv[1] in ("-h", "--help")):
        print(USAGE.format(makers=", ".join(discovery.makers()), example=example))
        return 0
    verb, name, rest = argv[0], argv[1] if len(argv) > 1 else "", argv[2:]
    if verb not in VERBS:
        raise FinegrainedError(f"unknown verb '{verb}': {nearest(verb, VERBS)}")
    if verb == "audit":
        return audit.main("", argv[1:]) if name.startswith("-") else audit.main(name, rest)
    if not name:
        raise FinegrainedError(f"`fgcrl data {verb}` needs a name; `fgcrl data --help` shows them")
    return verify(name, rest) if verb == "verify" else make(name, rest)


def verify(name: str, argv: list[str]) -> int:
    """Check one data set; exit code 1 when something is wrong with it."""
    from finegrained_crl.data.verify import verify as check

    cls = discovery.find("data set", name, discovery.datasets())
    parser = settings.SettingsParser(
        prog=f"fgcrl data verify {name}", description=cls.summary, epilog=" ".join(cls.where.split())
    )
    settings.add_flag(parser, "data", str, "", "folder (or CSV file) that holds the data set")
    settings.add_flag(parser, "labels_only", bool, False, "read annotation files alone; no image needs to be there")
    settings.add_flag(parser, "convert_images", bool, False, "accept CMYK, 16-bit and transparent images")
    settings.add_flag(parser, "json", bool, False, "print as JSON")
    options = _component_flags(parser, cls)
    words = [w.replace("--dataset.", "--") for w in settings.normalise(argv)]
    if "--help" in words or "-h" in words:
        print(parser.format_help())
        return 0
    parsed = parser.parse(words)
    if not parsed.data:
        raise FinegrainedError(f"--data is missing. {' '.join(cls.where.split())}")
    if not Path(parsed.data).exists():
        raise FinegrainedError(f"--data {Path(parsed.data).absolute()} does not exist. {' '.join(cls.where.split())}")
    source = cls(**{option: parsed[option] for option in options})
    report = check(source, name, Path(parsed.data), labels_only=parsed.labels_only, convert=parsed.convert_images)
    if parsed.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        show(report.as_dict())
    return 0 if report.ok else 1


def make(name: str, argv: list[str]) -> int:
    """Draw one demo set."""
    maker = discovery.find("demo set", name, discovery.makers())
    parser = settings.SettingsParser(
        prog=f"fgcrl data make {name} DIR", description=(inspect.getdoc(maker) or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=str, help="folder to make")
    options = _component_flags(parser, maker, skip=("folder", "progress"))
    settings.add_flag(parser, "json", bool, False, "print as JSON")
    words = settings.normalise(argv)
    if "--help" in words or "-h" in words:
        print(parser.format_help())
        return 0
    if not any(not w.startswith("-") for w in words[:1]):
        raise FinegrainedError(f"`fgcrl data make {name}` needs a folder: fgcrl data make {name} DIR")
    parsed = parser.parse(words)
    chosen = {option: parsed[option] for option in options}
    with _drawing_bar(name) as progress:
        maker(Path(parsed.folder), progress=progress, **chosen)
    if parsed.json:
        print(json.dumps({"name": name, "folder": parsed.folder, **chosen}, indent=2))
    else:
        print(f"{name} drawn into {parsed.folder}: {', '.join(f'{key} {value}' for key, value in chosen.items())}")
    return 0


@contextlib.contextmanager
def _drawing_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"drawing {name}")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _component_flags(parser: Any, thing: Any, skip: tuple[str, ...] = ()) -> list[str]:
    found = [entry for entry in settings.options_of(thing) if entry[0] not in skip]
    for option, parameter, hint, text in found:
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        settings.add_flag(parser, option, hint, default, text)
    return [option for option, *_ in found]
