"""Reading Python files without running them: text, syntax tree, and what stands in the way of either."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from finegrained_crl.retrofit.reading.flow import backward_helpers

HUGE = 2_000_000  # bytes; hand-written modules stay far below
PYTHON2 = re.compile(
    rb"^\s*(print\s+[\"'\w%]|exec\s+[\"'\w]|except\s+[\w.]+\s*,\s*\w+\s*:|raise\s+\w+\s*,)", re.MULTILINE
)
ASYNC_KEYWORD = re.compile(rb"\basync(?=\s*=[^=])")


@dataclass
class Source:
    """One file: its bytes, its tree (None where unreadable) and the reason."""

    path: Path
    data: bytes
    problem: str = ""
    note: str = ""
    tree: ast.Module | None = field(default=None, repr=False)

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines as Python counts them, each with its own line end."""
        return self.data.splitlines(keepends=True)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Every node's parent."""
        if not self.tree:
            return {}
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def backward_helpers(self) -> frozenset[str]:
        """Functions that run a backward pass on what they are given."""
        return backward_helpers(self.tree) if self.tree else frozenset()

    def text_of(self, node: ast.AST, limit: int = 100) -> str:
        """The node's source on one line, cut to `limit` characters."""
        try:
            text = " ".join(ast.unparse(node).split())
        except RecursionError:  # a machine-written sum of a thousand terms
            text = self.lines[node.lineno - 1].strip().decode(errors="replace")  # type: ignore[attr-defined]
        return text if len(text) <= limit else text[: limit - 2] + ".."


def read_source(path: Path) -> Source:
    """Read and parse a file; whatever goes wrong is in `problem`, nothing is raised."""
    try:
        size = path.stat().st_size
        if size > HUGE:
            return Source(path, b"", f"too large to read ({size / 1e6:.1f} MB)")
        return parse_source(path, path.read_bytes())
    except OSError as error:
        return Source(path, b"", f"can't be opened ({error.strerror})")


def parse_source(path: Path, data: bytes) -> Source:
    """Parse a file's content; `async=` of Python 3.6 and older is read as the keyword argument that it was."""
    source = Source(path, data)
    if b"\0" in data:
        source.problem = "binary"
        return source
    try:
        source.tree = _parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _explain(source, error)
    return source


def _explain(source: Source, error: Exception) -> None:
    if ASYNC_KEYWORD.search(source.data):
        try:  # same length, so that every position stays true
            source.tree = _parse(ASYNC_KEYWORD.sub(b"asynk", source.data))
            source.note = "`async=` as an argument: Python 3.6 or older; run it with --shims old-torch"
            return
        except (SyntaxError, ValueError, RecursionError):
            pass
    if PYTHON2.search(source.data):
        source.problem = "Python 2"
    elif isinstance(error, SyntaxError) and error.lineno:
        source.problem = f"syntax error in line {error.lineno}: {error.msg}"
    else:
        source.problem = f"not readable as Python ({str(error) or type(error).__name__})"


def _parse(data: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in somebody's string is no concern of ours
        return ast.parse(data)
