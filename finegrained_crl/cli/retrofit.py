"""`fgcrl retrofit`: CRL in somebody else's program, unedited: scan shows the places, run does it, patch keeps it."""

from __future__ import annotations

from finegrained_crl.cli.verbs import dispatch

summary = "put CRL into a foreign training program without editing it, and prove it (scan, run, patch)"
example = "fgcrl retrofit run --only train.py:36 -- python train.py --epochs 1"
VERBS = ("scan", "run", "patch")


def main(argv: list[str]) -> int:
    """Hand over to the verb; for `run` the exit code is the program's own, or 3 where nothing was replaced."""
    return dispatch("retrofit", VERBS, argv, example=example)
