"""How the house is built: length and density of its functions, names and comments, and who imports whom.

python tools/measure_house.py                 # a row per room
python tools/measure_house.py --functions 10  # the longest functions
python tools/measure_house.py --imports       # arrows between rooms; exit code 1 where one points back up
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "finegrained_crl"
LAYERS = (
    ("cli",),
    ("reports", "retrofit", "probes", "export"),
    ("crossval",),
    ("training", "studies"),
    ("faces",),
    ("data", "losses", "networks", "statistics"),
    ("metrics",),
    ("",),
)
"""Rooms from the top down; "" is the package's own files. A room may import rooms of lower layers, and itself."""
INNER = {
    "retrofit": (
        ("",),
        ("running",),
        ("edits",),
        ("scanning",),
        ("shims",),
        ("account",),
        ("losses",),
        ("sites",),
        ("reading",),
    )
}
"""The same for rooms inside a room; "" is the room's own files, which only the rooms above it use."""
GENERIC = {"found", "known", "made", "mine", "theirs", "stuff", "thing", "temp", "tmp", "res", "ret", "obj"}
OPERATIONS = (ast.Call, ast.BinOp, ast.BoolOp, ast.Compare, ast.Subscript, ast.UnaryOp)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Room:
    """What was counted in one room."""

    files: int = 0
    code_lines: int = 0
    comment_lines: int = 0
    functions: dict[str, int] = field(default_factory=dict)
    operations: int = 0
    conditionals: int = 0
    comprehensions: int = 0
    generic_locals: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, metavar="N", help="the N longest functions, docstrings left out")
    parser.add_argument("--imports", action="store_true", help="arrows between rooms")
    arguments = parser.parse_args()
    if arguments.imports:
        return show_imports()
    rooms = measure()
    if arguments.functions:
        lengths = {name: lines for room in rooms.values() for name, lines in room.functions.items()}
        for name in sorted(lengths, key=lambda name: -lengths[name])[: arguments.functions]:
            print(f"{lengths[name]:4}  {name}")
        return 0
    show(rooms)
    return 0


def show(rooms: dict[str, Room]) -> None:
    """A row per room, and one for all."""
    total = Room()
    for room in rooms.values():
        total.files += room.files
        total.functions |= room.functions
        for name in ("code_lines", "comment_lines", "operations", "conditionals", "comprehensions", "generic_locals"):
            setattr(total, name, getattr(total, name) + getattr(room, name))
    heads = "files  code  fn-median  p90  max  ops/line  cond/1000  compr/1000  generic/1000  comments %"
    print(f"{'room':22}{heads}")
    for name, room in {**rooms, "all": total}.items():
        lengths = sorted(room.functions.values()) or [0]
        p90 = lengths[int(0.9 * (len(lengths) - 1))]
        per = 1000 / max(1, room.code_lines)
        print(
            f"{name:22}{room.files:5}{room.code_lines:6}{statistics.median(lengths):11.0f}{p90:5}{lengths[-1]:5}"
            f"{room.operations / max(1, room.code_lines):10.2f}{room.conditionals * per:11.1f}"
            f"{room.comprehensions * per:12.1f}{room.generic_locals * per:14.1f}"
            f"{100 * room.comment_lines / max(1, room.code_lines + room.comment_lines):12.1f}"
        )


def sources() -> Iterator[tuple[str, Path]]:
    """(room, file) of everything that ships."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        yield (parts[0] if len(parts) > 1 else "(package)"), path
    for name in ("plugins", "datasets"):
        for path in sorted((ROOT / name).rglob("*.py")):
            yield name, path


def measure() -> dict[str, Room]:
    """Room -> counts."""
    rooms: dict[str, Room] = {}
    for name, path in sources():
        count(rooms.setdefault(name, Room()), path)
    return rooms


def count(room: Room, path: Path) -> None:
    """Add a file's counts to its room's."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    docstrings = docstring_lines(tree)
    comments, blank = comment_and_blank_lines(text)
    room.files += 1
    room.comment_lines += len(comments)
    room.code_lines += len(text.splitlines()) - len(comments | blank | docstrings)
    for node in ast.walk(tree):
        room.operations += isinstance(node, OPERATIONS)
        room.conditionals += isinstance(node, ast.IfExp)
        room.comprehensions += isinstance(node, COMPREHENSIONS)
        room.generic_locals += isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in GENERIC
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = set(range(node.lineno, (node.end_lineno or node.lineno) + 1)) - docstrings - blank
            room.functions[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = len(lines)


def docstring_lines(tree: ast.AST) -> set[int]:
    """Lines of strings that stand alone: docstrings of modules, classes, functions and constants."""
    alone = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    texts = [node for node in alone if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {line for node in texts for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def comment_and_blank_lines(text: str) -> tuple[set[int], set[int]]:
    """Lines that are a comment and nothing else, and lines with nothing."""
    lines = text.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {t.start[0] for t in tokens if t.type == tokenize.COMMENT and lines[t.start[0] - 1].lstrip()[:1] == "#"}
    return comments, {i for i, line in enumerate(lines, start=1) if not line.strip()}


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, at its top, in a function or for types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = (
                [node.module] if node.module != "finegrained_crl" else [f"finegrained_crl.{a.name}" for a in node.names]
            )
        yield from (name for name in names if name.partition(".")[0] == "finegrained_crl")


def arrows() -> Counter[tuple[str, str]]:
    """(room, room that it imports) -> number of imports, of the package's own rooms."""
    found: Counter[tuple[str, str]] = Counter()
    for _, path in sources():
        if PACKAGE in path.parents:
            parts = path.relative_to(PACKAGE).parts
            room = parts[0] if len(parts) > 1 else ""
            for module in imports(path):
                target = module.split(".")[1] if module.count(".") else ""
                target = target if (PACKAGE / target).is_dir() and target else ""
                if target != room:
                    found[room, target] += 1
    return found


def inner_arrows(room: str) -> Counter[tuple[str, str]]:
    """The same between the rooms inside a room."""
    numbers: Counter[tuple[str, str]] = Counter()
    for path in sorted((PACKAGE / room).rglob("*.py")):
        parts = path.relative_to(PACKAGE / room).parts
        inner = parts[0] if len(parts) > 1 else ""
        for module in imports(path):
            names = module.split(".")[1:]
            if names[:1] != [room] or len(names) < 2:
                continue
            target = names[1] if (PACKAGE / room / names[1]).is_dir() else ""
            if target != inner:
                numbers[inner, target] += 1
    return numbers


def pointing_up() -> list[str]:
    """Arrows from a room to one that does not lie below it, the rooms inside rooms included."""
    layer = {room: i for i, rooms in enumerate(LAYERS) for room in rooms}
    wrong = [(a, b, n) for (a, b), n in arrows().items() if layer[b] <= layer[a] and a != ""]
    lines = [f"{a} -> {b or 'package'} ({n} imports)" for a, b, n in sorted(wrong)]
    for room, layers in INNER.items():
        inner = {name: i for i, rooms in enumerate(layers) for name in rooms}
        up = [(a, b, n) for (a, b), n in inner_arrows(room).items() if inner[b] <= inner[a]]
        lines += [f"{room}/{a} -> {room}/{b} ({n} imports)" for a, b, n in sorted(up)]
    return lines


def show_imports() -> int:
    for (room, target), number in sorted(arrows().items()):
        print(f"{room or '(package)':10} -> {target or '(package)':10} {number}")
    for outer in INNER:
        for (room, target), number in sorted(inner_arrows(outer).items()):
            print(f"{outer}/{room or '*':10} -> {outer}/{target or '*':10} {number}")
    wrong = pointing_up()
    print("\n".join(["back up:", *wrong]) if wrong else "no arrow points back up")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
