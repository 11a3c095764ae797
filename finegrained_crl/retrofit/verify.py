"""`--verify N`: before the run, show that the replacement at beta = 0 is the untouched program, bit for bit.

The program is started twice, with its random generators seeded alike: once untouched, with the losses of the chosen
sites written down, and once with those sites computing CRL at beta = 0. Each start ends after N calls of one site. All
values must have equal bits.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.account.ledger import read_ledgers
from finegrained_crl.retrofit.launch import run_program
from finegrained_crl.retrofit.sites.rows import Row
from finegrained_crl.retrofit.sites.settings import Settings

SEED = 0
Values = dict[tuple[str, int, str], list[list[str]]]


def verify(command: Sequence[str], settings: Settings, steps: int) -> int:
    """Compare the untouched program with CRL at beta = 0.

    Args:
        command: completed; started twice and ended after `steps` calls of a site.
        settings: of the run that follows.
        steps: calls to compare.
    Returns:
        the number of losses compared.
    Raises:
        FinegrainedError: a loss differs, or none was computed.
    """
    watched = replace(settings, steps=steps, seed=SEED, loss="crl", beta=0.0)
    untouched, ours = (_values(command, replace(watched, mode=mode)) for mode in ("watch", "run"))
    if not untouched or not ours:
        raise FinegrainedError(
            "--verify: no loss of a chosen site was computed, so nothing could be compared; run without --verify to"
            " see why"
        )
    for key in untouched.keys() | ours.keys():
        first, second = untouched.get(key, []), ours.get(key, [])
        for number, (a, b) in enumerate(zip(first, second, strict=False)):
            if a != b:
                raise FinegrainedError(
                    f"--verify: at {key[0]} call {number + 1} differs between the untouched program and beta = 0 (bits"
                    f" {a[0]} and {b[0]}); is the program random beyond torch's and numpy's seeds, or does it use"
                    " several threads?"
                )
        if not first or not second:
            raise FinegrainedError(
                f"--verify: {key[0]} was called in one of two equal runs only; is the program random?"
            )
    compared = sum(min(len(untouched[k]), len(ours[k])) for k in untouched)
    print(
        f"--verify: {compared} losses at {len(untouched)} sites equal the untouched program's bit for bit (beta = 0)",
        file=sys.stderr,
    )
    return compared


def _values(command: Sequence[str], settings: Settings) -> Values:
    with tempfile.TemporaryDirectory(prefix="fgcrl-verify-", ignore_cleanup_errors=True) as folder:
        run_program(command, replace(settings, folder=folder))
        values: Values = {}
        for part in read_ledgers(Path(folder)):
            for row in part["rows"]:
                if row.get("values"):
                    values.setdefault(_key(row), []).extend(row["values"])
        return values


def _key(row: Row) -> tuple[str, int, str]:
    return row["site"], row["column"], row["loss"]
