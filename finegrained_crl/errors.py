"""What a user can fix: one exception type, and the nearest known name for a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FinegrainedError(Exception):
    """Something that the user can fix; the command line prints its text and exits with 1, without a traceback.

    The text says what is wrong, where (value, file, row) and what to do next.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name a mistyped one may have meant, and list all of them.

    Args:
        name: what the user wrote.
        known: every allowed name.
    Returns:
        "did you mean 'x'? Known: a, b, x", or the list alone where nothing is near.

    >>> nearest("bcn", ["bcnn", "resnet"])
    "did you mean 'bcnn'? Known: bcnn, resnet"
    """
    names = sorted(known)
    return f"{guess(name, names)} Known: {', '.join(names)}".lstrip()


def guess(name: str, known: Iterable[str]) -> str:
    """`nearest` without the list, for names of which there are too many to show; "" where nothing is near.

    >>> guess("bcn", ["bcnn", "resnet"]), guess("zzz", ["bcnn"])
    ("did you mean 'bcnn'?", '')
    """
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean '{close[0]}'?" if close else ""
