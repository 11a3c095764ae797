"""Commands that torchrun or accelerate started in several processes: what all of them have to say is said once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from finegrained_crl.errors import FinegrainedError

LOST = ("closed by peer", "connection reset", "nccl", "gloo", "remote process exited", "socket timeout")
"""What messages of torch's collectives hold when another process has gone; they are plain `RuntimeError`s for gloo."""


def is_first_to_say(message: str) -> bool:
    """Whether this process is the first of its job, on this machine, with a message; the others keep silent.

    They share a parent; its start is in the name, so that a later job of the same id says its own. Whichever is first
    speaks at once: the parent ends all others as soon as one of them ends.
    """
    if not is_one_of_several():
        return True
    parent = os.getppid()
    job = f"{parent} {_start_of(parent)} {os.environ.get('MASTER_PORT')} {message}"
    marker = f"fgcrl-said-{hashlib.sha256(job.encode(errors='replace')).hexdigest()[:24]}"
    try:
        (Path(tempfile.gettempdir()) / marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        pass  # twice is better than never
    return True


def is_one_of_several() -> bool:
    """Whether this process is one of a job's."""
    return os.environ.get("WORLD_SIZE", "1") not in ("", "1")


@contextlib.contextmanager
def lost_ones_told(folder: Path) -> Iterator[None]:
    """Turn what collectives raise when another process has gone into one line.

    Args:
        folder: of the run, for how to go on.
    Raises:
        FinegrainedError: another process of the job has ended.
    """
    try:
        yield
    except RuntimeError as error:
        is_lost = is_one_of_several() and any(word in str(error).lower() for word in LOST)
        if not is_lost:
            raise
        raise FinegrainedError(
            "another process of this run has ended (its own message says why; none: it was killed), so this one does,"
            f" too; go on from the last checkpoint with --resume --out {folder}"
        ) from None


def _start_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
