"""Reading .mat files in a process of their own: SciPy's reader can crash, or ask for any amount of memory, on a damaged
one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.data import matlab_child
from finegrained_crl.data.regular import open_regular, read_regular
from finegrained_crl.errors import FinegrainedError

SECONDS = 120
MOST_BYTES = 256 << 20


def read_mat(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB 4 or 5 file as plain lists; a struct array is a dict of lists, one value a row.

    Raises:
        FinegrainedError: no regular file, damaged, or more than `SECONDS` or two gigabytes are needed for it.
    """
    content = read_regular(path, MOST_BYTES)
    variables: dict[str, Any] = json.loads(_read_by_child(path, [], input=content))
    return variables


def read_mat_arrays(path: Path) -> dict[str, np.ndarray]:
    """The numeric variables of a MATLAB 4 or 5 file as they are, for large ones; others are left out.

    Raises:
        FinegrainedError: as for `read_mat`.
    """
    with open_regular(path) as file, tempfile.TemporaryDirectory(prefix="finegrained-crl-") as folder:
        _read_by_child(path, [folder], stdin=file)
        return {entry.stem: np.load(entry, allow_pickle=False) for entry in sorted(Path(folder).glob("*.npy"))}


def _read_by_child(path: Path, words: list[str], **given: Any) -> bytes:
    """What the child prints."""
    # Not `-m`: the child needs NumPy and SciPy alone. `-P`: or it would find our modules where it looks for theirs.
    command = [sys.executable, "-P", matlab_child.__file__, *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, **given, capture_output=True, timeout=SECONDS, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        raise FinegrainedError(f"{path} can't be read within {SECONDS} s; download it again") from error
    except OSError as error:
        raise FinegrainedError(
            f"{path} can't be read: no process could be started ({error.strerror or error})"
        ) from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = words[-1] if done.returncode == matlab_child.REFUSED and words else "its reader crashed"
        raise FinegrainedError(f"{path} is not a MATLAB file that can be read ({reason}); download it again")
    return bytes(done.stdout)
