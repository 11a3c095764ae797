"""Commands that have verbs (`fgcrl data verify`): a module per verb, `cli/COMMAND_VERB.py`, with a `summary`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

from finegrained_crl.cli.help import wrapped
from finegrained_crl.errors import FinegrainedError, nearest


def dispatch(command: str, verbs: Sequence[str], argv: list[str], *, example: str) -> int:
    """Hand over to the verb, or show them all.

    Args:
        command: as typed after `fgcrl`.
        verbs: those it has.
        argv: what stands behind the command.
        example: one command, for the help.
    Returns:
        the verb's exit code.
    Raises:
        FinegrainedError: no such verb.
    """
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {verb:8} {module_of(command, verb).summary}" for verb in verbs]
        text = [f"usage: fgcrl {command} VERB ..", "", *lines, "", f"example: {example}"]
        print(wrapped("\n".join([*text, f"`fgcrl {command} VERB --help` shows the options of one."])))
        return 0
    if argv[0] not in verbs:
        raise FinegrainedError(f"no such verb: '{argv[0]}'; {nearest(argv[0], verbs)}")
    return int(module_of(command, argv[0]).main(argv[1:]))


def module_of(command: str, verb: str) -> ModuleType:
    """The module behind a verb."""
    return importlib.import_module(f"finegrained_crl.cli.{command}_{verb}")
