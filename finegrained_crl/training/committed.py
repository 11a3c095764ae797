"""The COMMITTED record of a finished run: SHA-256 of every file that a reader relies on, written last of all.

With it a run is finished, and what is read of it later can be compared with what was written: a disk, a copy or an
editor that changed a bit is noticed. TensorBoard's files are not in it; nothing reads them for a number.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from finegrained_crl import files
from finegrained_crl.data.regular import read_regular, sha256_of
from finegrained_crl.errors import FinegrainedError

NAME = "COMMITTED"
FORMAT = 1
LEFT_OUT = ("tensorboard", "cache")
RESTORE = "restore the file from a copy, or delete the folder and run again"


def commit(folder: Path) -> None:
    """Write the record of a folder whose files are all there."""
    digests = {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in contents(folder)
    }
    files.write_json(folder / NAME, {"format": FORMAT, "files": digests})


def sealed(text: str) -> str:
    """YAML with the SHA-256 of all its lines in a comment behind them."""
    return f"{text}{SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def check_seal(path: Path) -> None:
    """Check a file that `sealed` wrote.

    Raises:
        FinegrainedError: it isn't what was written, or was cut off.
    """
    text, seal, _ = read_regular(path).decode("utf-8", "replace").partition(SEAL)
    if not seal or sealed(text).encode() != read_regular(path):
        raise FinegrainedError(
            f"{path} is damaged, cut off, changed by hand or of an older version (its last line does not fit): restore"
            " it, or delete the folder and run again"
        )


SEAL = "# sha256 of the lines above: "


def contents(folder: Path) -> list[str]:
    """The files of a run that count, relative, sorted; not the record itself, nor hidden files, nor TensorBoard's."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path.as_posix() for path in paths if _counts(path)]


def _counts(path: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.parts)
    return path.name != NAME and path.parts[0] not in LEFT_OUT and not is_hidden


def read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """File -> {"sha256", "bytes"} of a finished run.

    Raises:
        FinegrainedError: no record, a damaged one, or one of another format.
    """
    record = files.read_json(folder / NAME)
    listed = record.get("files")
    if record.get("format") != FORMAT or not isinstance(listed, dict):
        raise FinegrainedError(
            f"{folder / NAME} has format {record.get('format')}, this version reads {FORMAT}: {RESTORE}"
        )
    return listed


def problems(folder: Path) -> list[str]:
    """What of a finished run is not as it was written, one line per file; files that came later are listed too."""
    try:
        listed = read_record(folder)
    except FinegrainedError as error:
        return [str(error)]
    lines = [problem for name in listed if (problem := file_problem(folder, name, listed))]
    # Reports and explanations may be written into a run folder; in the run's own places nothing may appear.
    return lines + [
        f"{name}: not there when the run was finished" for name in contents(folder) if _is_foreign(name, listed)
    ]


def _is_foreign(name: str, listed: dict[str, Any]) -> bool:
    return name not in listed and name.startswith("checkpoints/")


def file_problem(folder: Path, name: str, listed: dict[str, dict[str, Any]]) -> str | None:
    """What is wrong with one listed file; None where nothing is."""
    path, expected = folder / name, listed[name]
    if not path.is_file():
        return f"{name}: missing"
    if path.stat().st_size != expected.get("bytes"):
        return f"{name}: {path.stat().st_size} bytes, {expected.get('bytes')} when the run was finished"
    if sha256_of(path) != expected.get("sha256"):
        return f"{name}: its content is not what the run wrote"
    return None


def check_file(folder: Path, name: str) -> None:
    """Check a file of a finished run before it is read.

    Raises:
        FinegrainedError: it is not what the run wrote.
    """
    listed = read_record(folder)
    problem = f"{name}: not in {NAME}" if name not in listed else file_problem(folder, name, listed)
    if problem:
        raise FinegrainedError(f"{folder} is damaged: {problem}; {RESTORE} (`fgcrl verify {folder}` checks all files)")
