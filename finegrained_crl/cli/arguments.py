"""argparse whose mistakes are `FinegrainedError`s: one line and exit code 1, as everywhere else."""

from __future__ import annotations

import argparse
from typing import NoReturn

from finegrained_crl.errors import FinegrainedError


class Parser(argparse.ArgumentParser):
    """For the commands that have a handful of flags of their own."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting with 2."""
        raise FinegrainedError(f"{message}; `{self.prog} --help` shows what there is")
