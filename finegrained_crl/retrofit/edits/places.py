"""Bytes to exchange in a file, so that tabs, line ends, encodings and a missing last newline stay what they are."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.reading.source import Source
from finegrained_crl.retrofit.scanning.found import Site


@dataclass(frozen=True)
class Edit:
    """Bytes to exchange, and the name that the file must import for it."""

    start: int
    end: int
    text: bytes
    needs: tuple[str, str] | None


def offsets(source: Source, site: Site) -> tuple[int, int]:
    """Byte positions of a site; ast counts UTF-8 bytes, which is not what a file in another encoding holds."""
    starts = [0]
    for line in source.lines:
        starts.append(starts[-1] + len(line))
    shift = 3 if source.data.startswith(b"\xef\xbb\xbf") else 0

    def offset(line: int, column: int) -> int:
        text = source.lines[line - 1][shift if line == 1 else 0 :]
        before = _utf8(source, text)[:column].decode(errors="surrogateescape")
        return starts[line - 1] + len(encoded(source, before)) + (shift if line == 1 else 0)

    return offset(site.line, site.column), offset(*site.end)


def _encoding(source: Source) -> str:
    return tokenize.detect_encoding(io.BytesIO(source.data).readline)[0].replace("utf-8-sig", "utf-8")


def _utf8(source: Source, text: bytes) -> bytes:
    return text.decode(_encoding(source), "surrogateescape").encode(errors="surrogateescape")


def encoded(source: Source, text: str) -> bytes:
    """Text in the encoding of the file."""
    return text.encode(_encoding(source), "surrogateescape")


def decode_part(source: Source, start: int, end: int) -> str:
    """A part of a file as text, line ends as they are."""
    return source.data[start:end].decode(_encoding(source), "surrogateescape")


def apply(source: Source, edits: list[Edit]) -> bytes:
    """Make the edits; an edit inside another is merged by doing the inner one first."""
    data = source.data
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        if any(other is not edit and other.start <= edit.start and edit.end <= other.end for other in edits):
            raise FinegrainedError(
                f"{source.path}: one chosen call stands inside another; choose one of them with --only"
            )
        data = data[: edit.start] + edit.text + data[edit.end :]
    return _with_imports(source, data, {edit.needs for edit in edits if edit.needs is not None})


def _with_imports(source: Source, data: bytes, needs: set[tuple[str, str]]) -> bytes:
    """Add the imports behind the last one of the file's head."""
    assert source.tree is not None
    newline = b"\r\n" if b"\r\n" in source.data else b"\n"
    modules = sorted({module for module, _ in needs})
    wanted = [f"from {m} import {', '.join(sorted(n for mod, n in needs if mod == m))}".encode() for m in modules]
    lines = data.splitlines(keepends=True)
    at = _import_line(source.tree)
    if at == 0 and lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines[0], wanted[0] = lines[0][3:], b"\xef\xbb\xbf" + wanted[0]
    if at and at <= len(lines) and not lines[at - 1].endswith((b"\n", b"\r")):
        lines[at - 1] += newline
    return b"".join([*lines[:at], *(line + newline for line in wanted), *lines[at:]])


def _import_line(tree: ast.Module) -> int:
    """How many lines stand before the new import: up to the last import of the leading block, at the top level."""
    last = 0
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or docstring:
            last = node.end_lineno or last
        elif last and not isinstance(node, ast.Expr | ast.Assign | ast.If | ast.Try):
            break
        elif not isinstance(node, ast.Expr):
            following = tree.body[number + 1 : number + 2]
            if not (following and isinstance(following[0], ast.Import | ast.ImportFrom)):
                break
    return last
