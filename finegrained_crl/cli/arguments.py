"""The parser of commands with a handful of flags of their own; a mistake is one line and exit code 1, as everywhere."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from finegrained_crl.cli.help import Formatter, wrapped
from finegrained_crl.errors import FinegrainedError


class Parser(argparse.ArgumentParser):
    """argparse's, with the house's help and errors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"formatter_class": Formatter, **kwargs})

    def format_help(self) -> str:
        """The help text, no line too long."""
        return wrapped(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting with 2."""
        raise FinegrainedError(f"{message}; `{self.prog} --help` shows what there is")
