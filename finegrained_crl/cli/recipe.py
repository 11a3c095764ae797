"""`fgcrl recipe`: the shipped recipes, to read and to begin one's own from."""

from __future__ import annotations

from finegrained_crl.cli.verbs import dispatch

summary = "show a shipped recipe, or copy it to begin one of your own"
example = "fgcrl recipe copy resnet/cub my-cub.yaml"
VERBS = ("show", "copy")


def main(argv: list[str]) -> int:
    """Hand over to the verb."""
    return dispatch("recipe", VERBS, argv, example=example)
