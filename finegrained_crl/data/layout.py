"""Finding the files of an on-disk layout, and the note that a generated data set carries about itself."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from finegrained_crl.data.regular import read_regular, status
from finegrained_crl.errors import FinegrainedError

NOTE_FILE = "GENERATED.json"
MOST_BYTES = 1 << 30
LONGEST_LINE = 100_000
"""Characters; a row of a table or list has hundreds."""


@dataclass(frozen=True)
class GeneratedNote:
    """What a drawn data set says about itself, so that nobody takes it for the real one whose layout it has.

    Attributes:
        name: demo name, e.g. "demo-birds".
        seed: the seed that it was drawn from.
        counts: what `DataSource.known_counts` answers for it.
    """

    name: str
    seed: int
    counts: dict[str, int] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Put the note into the root of the data set."""
        (folder / NOTE_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_note(folder: Path) -> GeneratedNote | None:
    """The note of a generated data set, None for a real one."""
    path = folder / NOTE_FILE
    if not path.is_file():
        return None
    try:
        fields = json.loads(file_text(path))
        counts = {str(name): int(count) for name, count in dict(fields["counts"]).items()}
        return GeneratedNote(str(fields["name"]), int(fields["seed"]), counts)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise FinegrainedError(
            f"{path} is damaged ({error}); make the data set again with `fgcrl data make`"
        ) from error


def require_folder(path: Path, where: str) -> Path:
    """The folder itself, or an error that says where the data come from."""
    if path.is_dir():
        return path
    problem = "no such folder" if status(path) is None else "is a file, not a folder"
    raise FinegrainedError(f"{path}: {problem}. {where}")


def require_file(path: Path, where: str) -> Path:
    """The file itself, or an error that says where it comes from."""
    if path.is_file():
        return path
    raise FinegrainedError(f"missing file {path}. {where}")


def first_holding(candidates: list[Path], name: str, where: str) -> Path:
    """The first of some folders that holds a file called `name`.

    Raises:
        FinegrainedError: none does; the text lists the folders looked at.
    """
    for folder in candidates:
        if (folder / name).is_file():
            return folder
    looked = ", ".join(str(folder) for folder in candidates)
    raise FinegrainedError(f"no {name} in {looked}. {where}")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each non-empty line of a text file with its number, counted from 1 (see `file_text`)."""
    for number, line in enumerate(file_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def file_text(path: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 with its byte order mark, as spreadsheets write "Unicode text".

    Raises:
        FinegrainedError: no regular file, larger than `MOST_BYTES`, another encoding, a zero byte, or a line beyond
            `LONGEST_LINE`.
    """
    content = read_regular(path, MOST_BYTES)
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FinegrainedError(
            f"{path}: not a UTF-8 text file (byte {error.start}, line {line}); save it as UTF-8, or download it again"
            " if you got it so"
        ) from error
    zero = text.find("\0")
    if zero >= 0:
        line = text.count("\n", 0, zero) + 1
        raise FinegrainedError(
            f"{path}, line {line}: a zero byte, so this is no text; save it as UTF-8, or download it again"
        )
    lengths = list(map(len, text.split("\n")))
    longest = max(lengths)
    if longest > LONGEST_LINE:
        raise FinegrainedError(
            f"{path}, line {lengths.index(longest) + 1}: {longest:,} characters in one line, at most {LONGEST_LINE:,}"
            " are read; is it the right file?"
        )
    return text
