"""The Python files of a repository, found without leaving it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from finegrained_crl.errors import FinegrainedError

SKIPPED = {
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "node_modules",
    "site-packages",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    ".eggs",
    ".mypy_cache",
}


def repository(path: Path) -> Path:
    """The folder to scan.

    Raises:
        FinegrainedError: there is no such folder.
    """
    if not path.exists():
        raise FinegrainedError(f"no such folder: {path.absolute()}; give the repository's folder")
    return path.resolve()


def python_files(root: Path) -> Iterator[Path]:
    """Every .py file below the root, in order; links are not followed, so that neither loops nor files outside are
    met.
    """
    if root.is_file():
        yield root
        return
    for folder, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(
            n for n in names if n not in SKIPPED and not os.path.exists(os.path.join(folder, n, "pyvenv.cfg"))
        )
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".py") and os.path.isfile(path) and not os.path.islink(path):  # a fifo would never end
                yield Path(path)
