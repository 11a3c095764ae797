"""How help reads, in every command: 100 columns at most, defaults in brackets, no types behind the choices."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import Any

WIDEST = 100
NO_DEFAULT = (None, "", False, argparse.SUPPRESS)


def width() -> int:
    """Columns of a help text."""
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Two columns, with room for the long flag names; descriptions keep their line breaks."""

    def __init__(self, prog: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(prog, *args, **{"max_help_position": 34, "width": width(), **kwargs})

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        default = action.default
        says_it = "[" in text or isinstance(action, argparse._HelpAction)
        if says_it or default in NO_DEFAULT or default == []:
            return text
        return f"{text} [{str(default).replace('%', '%%')}]"


def wrapped(text: str) -> str:
    """Lines that are too long are broken at spaces, under the place where their text begins."""
    lines: list[str] = []
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        hanging = " " * (indent + (7 if line.startswith("usage: ") else 2))
        short = textwrap.wrap(line, width(), subsequent_indent=hanging, break_on_hyphens=False, break_long_words=False)
        lines += [line] if len(line) <= width() else short
    return "\n".join(lines)
