"""Writing a generated data set as a whole: it appears under its name when it is complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finegrained_crl.errors import FinegrainedError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary sibling of `folder` to fill; rename it to `folder` at the end, remove it after an error.

    Raises:
        FinegrainedError: `folder` is there already and not empty, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FinegrainedError(f"{target} is there already and not empty; name a new folder, or remove it first")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise FinegrainedError(
            f"cannot write to {target.parent}: {error.strerror}; name a folder that you may write to"
        ) from error
    try:
        yield draft
        draft.chmod(0o755)
        if target.is_dir():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        raise FinegrainedError(
            f"cannot write {target}: {error.strerror}; free some space, or name another folder"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def require_range(name: str, value: int, low: int, high: int) -> None:
    """Raise where an option of a maker is out of its range."""
    if not low <= value <= high:
        raise FinegrainedError(f"{name} must be from {low} to {high}, got {value}")
