"""`--only` and `--skip`: which sites a word names.

A SITE is `FILE:LINE` (of the call, of a caller, or of the line that builds the criterion), `FILE:FUNCTION`, a FILE, a
FUNCTION name, or a role (`class`, `auxiliary`, `gender` ..). FILE may be the end of a path; `*`, `?` and `[..]` work
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.reading.words import ALL_ROLES


@dataclass(frozen=True)
class Place:
    """A line of a file and the function around it."""

    file: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @classmethod
    def of(cls, text: str, function: str = "") -> Place:
        """Read what `str` wrote: `file:line`.

        >>> Place.of("src/train.py:36")
        Place(file='src/train.py', line=36, function='')
        """
        file, _, line = text.rpartition(":")
        return cls(file, int(line), function)


def check_sites(words: Iterable[str]) -> None:
    """Refuse what can name no site.

    Raises:
        FinegrainedError: an empty word, a line below 1, or an empty side of the colon.
    """
    for word in words:
        file, colon, rest = _split(word)
        if not word.strip() or (colon and not (file and rest)) or (rest.isdigit() and int(rest) < 1):
            raise FinegrainedError(
                f"'{word}' names no site; write FILE:LINE, FILE:FUNCTION, FILE, FUNCTION or a role"
                f" ({', '.join(ALL_ROLES)}); `fgcrl retrofit scan REPO` lists the sites"
            )


def names_place(word: str, place: Place) -> bool:
    """Tell whether a SITE names this place (roles are the caller's business).

    >>> names_place("train.py:36", Place("src/train.py", 36, "train"))
    True
    >>> names_place("train.py:validate", Place("train.py", 3, "train"))
    False
    """
    file, colon, rest = _split(word)
    if colon:
        return _names_file(file, place.file) and (
            _names_line(rest, place.line) or _names_function(rest, place.function)
        )
    if word.endswith(".py") or "/" in word:
        return _names_file(word, place.file)
    return word not in ALL_ROLES and _names_function(word, place.function)


def names_exactly(word: str, place: Place) -> bool:
    """Tell whether a SITE points at this place by line or function, as opposed to taking in everything of a file or
    role.
    """
    return bool(_split(word)[1]) and names_place(word, place)


def _split(word: str) -> tuple[str, str, str]:
    file, colon, rest = word.rpartition(":")
    return (file, colon, rest) if colon else (word, "", "")


def _names_file(pattern: str, file: str) -> bool:
    pattern = pattern.replace("\\", "/").removeprefix("./")
    return (
        fnmatchcase(file, pattern)
        or fnmatchcase(file, "*/" + pattern)
        or (pattern.startswith("/") and pattern.endswith("/" + file))
    )


def _names_line(pattern: str, line: int) -> bool:
    return pattern == str(line) or ("*" in pattern and fnmatchcase(str(line), pattern))


def _names_function(pattern: str, function: str) -> bool:
    return fnmatchcase(function, pattern) or fnmatchcase(function.rpartition(".")[2], pattern)
