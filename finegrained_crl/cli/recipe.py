"""`fgcrl recipe`: the shipped recipes, to read and to begin one's own from; recipes compared and checked."""

from __future__ import annotations

from finegrained_crl.cli.verbs import dispatch

summary = "show a shipped recipe, copy it to begin one of your own, compare and check recipes"
example = "fgcrl recipe copy resnet/cub my-cub.yaml"
VERBS = ("show", "copy", "diff", "check")


def main(argv: list[str]) -> int:
    """Hand over to the verb."""
    return dispatch("recipe", VERBS, argv, example=example)
