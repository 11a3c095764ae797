"""`fgcrl data`: check a data set, audit it for leaks, prepare it, or draw a demo one."""

from __future__ import annotations

from finegrained_crl.cli.verbs import dispatch

summary = "verify a data set, audit it for leaks, prepare it, or draw a demo one in an official layout"
example = "fgcrl data verify cub200 --data CUB_200_2011"
VERBS = ("verify", "audit", "prepare", "make")


def main(argv: list[str]) -> int:
    """Hand over to the verb."""
    return dispatch("data", VERBS, argv, example=example)
