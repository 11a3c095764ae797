"""A unified diff of bytes, as git writes and reads it."""

from __future__ import annotations

import difflib
import os


def diff_of(file: str, before: bytes, after: bytes) -> bytes:
    """The diff of one file.

    Args:
        file: its path below the repository.
        before, after: its bytes.
    """
    lines = difflib.diff_bytes(
        difflib.unified_diff, _lines(before), _lines(after), _quoted(f"a/{file}"), _quoted(f"b/{file}"), lineterm=b"\n"
    )
    diff = b""
    for line in lines:
        diff += line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
    return b"diff --git " + _quoted(f"a/{file}") + b" " + _quoted(f"b/{file}") + b"\n" + diff


def _lines(data: bytes) -> list[bytes]:
    """Lines as git counts them: a lone carriage return ends none."""
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _quoted(name: str) -> bytes:
    """A path as git writes it."""
    raw = os.fsencode(name)
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    special = {9: b"\\t", 10: b"\\n", 34: b'\\"', 92: b"\\\\"}
    return b'"' + b"".join(special.get(b) or (bytes([b]) if 32 <= b < 127 else b"\\%03o" % b) for b in raw) + b'"'
