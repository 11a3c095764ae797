"""`fgcrl data`: check a data set, audit it for leaks, prepare it, or draw a demo one."""

from __future__ import annotations

from finegrained_crl.cli.verbs import dispatch

summary = "verify a data set, audit it for leaks, prepare it, or draw a demo one in an official layout"
example = "fgcrl data verify cub200 --data CUB_200_2011"
VERBS = ("verify", "audit", "prepare", "make")


def main(argv: list[str]) -> int:
    """Hand over to the verb."""
    return dispatch("data", VERBS, _name_first(argv), example=example)


def _name_first(argv: list[str]) -> list[str]:
    """`VERB .. --dataset NAME ..`, as `finetune` takes it, is `VERB NAME ..`."""
    for place, word in enumerate(argv[1:], 1):
        flag, _, name = word.partition("=")
        if flag == "--dataset" and (name or argv[place + 1 :]):
            rest = argv[place + 1 :] if name else argv[place + 2 :]
            return [argv[0], name or argv[place + 1], *argv[1:place], *rest]
    return argv
