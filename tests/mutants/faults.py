"""Faults that are put into the sources one at a time; the tests must notice each.

A file `faults_ROOM.py` beside this one lists those of a room:

    loop = Source("finegrained_crl/training/loop.py", "tests/training/test_loop.py", "tests/meaning")
    loop.fault("wrong reduction", "total / parts", "total")

The second text takes the place of the first one, which must stand exactly once in the source.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["sign", "index", "off-by-one", "dropped call", "swapped part", "ignored option", "wrong reduction"]
KINDS: tuple[str, ...] = get_args(Kind)
ROOMS = (
    "training",
    "metrics",
    "statistics",
    "probes",
    "reports",
    "crossval",
    "data",
    "cli",
    "plugins",
    "losses",
    "faces",
    "export",
    "retrofit",
    "datasets",
    "networks",
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        path: source file, relative to the repository.
        kind: what sort of mistake it is.
        old: text of the source, there exactly once.
        new: what takes its place.
        tests: pytest's arguments, nearest first; the run ends with the first red one.
        why_equivalent: why no test can notice it; "" for a fault that must be noticed.
        named: what it does, of the faults that were put in by hand before this list and not noticed; else "".
    """

    path: str
    kind: Kind
    old: str
    new: str
    tests: tuple[str, ...]
    why_equivalent: str = ""
    named: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({self.kind}): {' '.join(self.old.split())!r} -> {' '.join(self.new.split())!r}"

    def problem(self, root: Path) -> str | None:
        """Why it doesn't apply to the sources below `root`; None where it does."""
        if self.kind not in KINDS:
            return f"{self}: there is no such kind"
        times = (root / self.path).read_text(encoding="utf-8").count(self.old) if self.old != self.new else 0
        if times != 1:
            return f"{self}: its text stands {times} times in the source, not once"
        absent = [test for test in self.tests if not (root / test.partition("::")[0]).exists()]
        return f"{self}: no such tests: {', '.join(absent)}" if absent or not self.tests else None


class Source:
    """A source file and the tests beside it.

    Args:
        path: the file, relative to the repository.
        tests: pytest's arguments, nearest first.
    """

    def __init__(self, path: str, *tests: str) -> None:
        self.path, self.tests = path, tests
        self.faults: list[Fault] = []

    def fault(self, kind: Kind, old: str, new: str, *first: str, why_equivalent: str = "", named: str = "") -> None:
        """Add a fault; `first` are tests that stand nearer than the file's."""
        self.faults.append(Fault(self.path, kind, old, new, (*first, *self.tests), why_equivalent, named))


def faults_of(room: str) -> list[Fault]:
    """The faults of a room, in the order of its list."""
    module = importlib.import_module(f"faults_{room}")
    sources = [value for value in vars(module).values() if isinstance(value, Source)]
    return [fault for source in sources for fault in source.faults]
