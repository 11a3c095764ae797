"""Finding the files of an on-disk layout, and the note that a generated data set carries about itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from finegrained_crl.errors import FinegrainedError

NOTE_FILE = "GENERATED.json"


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
        fields = json.loads(path.read_text(encoding="utf-8"))
        return GeneratedNote(str(fields["name"]), int(fields["seed"]), dict(fields["counts"]))
    except (ValueError, KeyError, TypeError) as error:
        raise FinegrainedError(f"{path} is damaged ({error}); make the data set again with `fgcrl data make`") from error


def require_folder(path: Path, where: str) -> Path:
    """The folder itself, or an error that says where the data come from."""
    if path.is_dir():
        return path
    found = "is a file, not a folder" if path.exists() else "no such folder"
    raise FinegrainedError(f"{path}: {found}. {where}")


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
    """Each non-empty line of a UTF-8 text file with its number, counted from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FinegrainedError(f"{path}: not a UTF-8 text file (byte {error.start}); download it again") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")
