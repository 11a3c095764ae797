"""`fgcrl retrofit`: CRL in somebody else's program, unedited; scan shows the places, run does it, patch writes it
down.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from finegrained_crl.errors import FinegrainedError, nearest

summary = "put CRL into a foreign training program without editing it, and prove it (scan, run, patch)"
example = "fgcrl retrofit run --only train.py:36 -- python train.py --epochs 1"
VERBS = {"scan": "list every place where a classification loss is built or called; runs nothing",
         "run": "run a program with the chosen places computing CRL; writes retrofit.json",
         "patch": "print the same choice as a diff for `git apply`"}  # fmt: skip


def main(argv: list[str]) -> int:
    """Hand over to the verb.

    Args:
        argv: the arguments after `fgcrl retrofit`.
    Returns:
        the verb's exit code; for `run` the program's own, or 3 where nothing was replaced.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: fgcrl retrofit VERB ..\n\n{summary}\n")
        print("\n".join(f"  {verb:6} {line}" for verb, line in VERBS.items()))
        print(f"\nexample: {example}\n`fgcrl retrofit VERB --help` shows the options of one.")
        return 0
    return int(_verb(argv[0]).main(argv[1:]))


def _verb(name: str) -> ModuleType:
    if name not in VERBS:
        raise FinegrainedError(f"no such verb: '{name}'; {nearest(name, VERBS)}")
    return importlib.import_module(f"finegrained_crl.cli.retrofit_{name}")
