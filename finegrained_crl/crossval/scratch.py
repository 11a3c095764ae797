"""Cells that run in a folder of their node: copied into the study when they are committed, COMMITTED last of all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed


def place_of(scratch: Path, home: Path) -> Path:
    """Where a cell runs on its node.

    Args:
        scratch: folder of the node.
        home: run folder of the cell in the study; two studies of one name don't meet.
    """
    study = home.absolute().parents[1]
    digest = hashlib.sha256(str(study).encode()).hexdigest()[:8]
    return scratch / f"{study.name}-{digest}" / home.name


def bring_home(run: Path, home: Path) -> None:
    """Copy a committed run into the study, check every file there against its record, and commit it there.

    Args:
        run: where it ran; it is deleted.
        home: its folder in the study.
    Raises:
        FinegrainedError: a disk is full, or a file did not arrive as it was.
    """
    record = committed.read_record(run)
    shutil.rmtree(home, ignore_errors=True)  # what a cell left that began here and did not end
    for name in [*record, *_unlisted(run, record)]:
        _copy(run / name, home / name)
    require_arrived(home, record, list(record), str(run))
    files.write_bytes(home / committed.NAME, (run / committed.NAME).read_bytes())
    shutil.rmtree(run, ignore_errors=True)


def require_arrived(home: Path, record: dict[str, Any], names: Iterable[str], kept: str) -> None:
    """Compare what was brought into the study with what its node wrote.

    Args:
        home: run folder of the cell in the study.
        record: of the run, as it was committed on its node.
        names: files of it that were brought.
        kept: where the run still is.
    Raises:
        FinegrainedError: a file is another one.
    """
    problems = [problem for name in names if (problem := committed.file_problem(home, name, record))]
    if problems:
        raise FinegrainedError(f"{home}: {problems[0]} after it was brought from {kept}, where the run is kept")


def _unlisted(run: Path, record: Container[str]) -> list[str]:
    """What is kept with a run though no number is read from it."""
    paths = [path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()]
    return [name for name in paths if name not in record and name != committed.NAME and not name.startswith(".")]


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        files.make_folder(target.parent)
        shutil.copyfile(source, partial)
        partial.replace(target)
    except OSError as error:
        raise FinegrainedError(
            f"can't copy {source} to {target} ({error.strerror or error}): free space there"
        ) from None
