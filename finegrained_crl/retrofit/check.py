"""`patch --check N`: the patched and the retrofitted program side by side, N losses long, bit for bit.

The patched program is a copy of the repository's Python files with links to everything else, so that nothing in the
repository is written to by us.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.account.ledger import read_ledgers
from finegrained_crl.retrofit.launch import run_program
from finegrained_crl.retrofit.reading.tree import SKIPPED
from finegrained_crl.retrofit.sites.settings import Settings

SEED = 0
Values = list[list[str]]


def check(root: Path, diff: bytes, command: Sequence[str], settings: Settings, steps: int) -> int:
    """Run both and compare.

    Args:
        root: of the repository.
        diff: the patch.
        command: completed by `command_of`, as run in the repository's folder.
        settings: the same choice of sites, alpha and beta.
        steps: losses to compare.
    Returns:
        the number of losses compared.
    Raises:
        FinegrainedError: a loss differs, one side computes none, or the diff can't be applied.
    """
    settings = replace(settings, root=str(root), seed=SEED, steps=steps, record=True)
    with tempfile.TemporaryDirectory(prefix="fgcrl-check-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / root.name
        _mirror(root, copy)
        _apply(copy, diff)
        retrofitted = _values(command, settings, root)
        patched = _values(_moved(command, root, copy), replace(settings, mode="patched"), copy)
    return _compared(patched, retrofitted)


def _compared(patched: Values, retrofitted: Values) -> int:
    if not patched or not retrofitted:
        side = "patched" if not patched else "retrofitted"
        raise FinegrainedError(f"--check: the {side} program computed no CRL, so nothing could be compared")
    for number, (ours, theirs) in enumerate(zip(patched, retrofitted, strict=False), start=1):
        if ours != theirs:
            raise FinegrainedError(
                f"--check: loss {number} differs between the patched and the retrofitted program (bits {ours[0]} and"
                f" {theirs[0]}): a run asks the callers, a diff can't; see what patch said to check"
            )
    if len(patched) != len(retrofitted):
        raise FinegrainedError(
            f"--check: {len(patched)} losses in the patched program, {len(retrofitted)} in the retrofitted one"
        )
    return len(patched)


def _mirror(root: Path, copy: Path) -> None:
    """Python files are copied (a link would lead Python back to the original's folder), the rest is linked."""
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in SKIPPED]
        there = copy / Path(folder).relative_to(root)
        there.mkdir(parents=True)
        linked = [name for name in names if (Path(folder) / name).is_symlink()]  # such as a data set; never walked
        for name in (*files, *linked):
            source = Path(folder) / name
            if name.endswith(".py") and source.is_file():
                shutil.copyfile(source, there / name)
            else:
                os.symlink(source, there / name)


def _apply(copy: Path, diff: bytes) -> None:
    # Outside any repository, or `git apply` leaves files out that an outer repository does not hold.
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)}
    done = subprocess.run(["git", "apply"], input=diff, cwd=copy, env=env, capture_output=True, check=False)
    if done.returncode:
        raise FinegrainedError(f"--check: the diff can't be applied: {done.stderr.decode(errors='replace').strip()}")


def _moved(command: Sequence[str], root: Path, copy: Path) -> list[str]:
    inside = f"{root}{os.sep}"
    return [f"{copy}{os.sep}{word.removeprefix(inside)}" if word.startswith(inside) else word for word in command]


def _values(command: Sequence[str], settings: Settings, folder: Path) -> Values:
    with tempfile.TemporaryDirectory(prefix="fgcrl-check-", ignore_cleanup_errors=True) as ledgers:
        run_program(command, replace(settings, folder=ledgers), folder)
        parts = read_ledgers(Path(ledgers))
    return [value for part in parts for value in part["facts"].get("recorded", [])]
