"""Checkpoints: tensors and plain values only, so that they load without running code."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from finegrained_crl import files
from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError

FORMAT = 1


MAGIC = b"\nfinegrained-crl checkpoint, sha256 "
TRAILER = len(MAGIC) + 64
"""Behind the file's content stand these bytes and the content's SHA-256; torch's reader passes over them."""


def save(path: Path, state: dict[str, Any], *, keep_previous: bool = False) -> None:
    """Write a checkpoint at once, with a checksum.

    Args:
        path: the file.
        state: tensors and plain values.
        keep_previous: keep the checkpoint that was there as `previous_*`, for the day on which this one turns out
            damaged.
    Raises:
        FinegrainedError: the disk is full or not writable.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    content = buffer.getvalue()
    if keep_previous and path.is_file():
        # A second name first: at no moment is there no checkpoint.
        files.keep_as(path, previous(path))
    files.write_bytes(path, content + _trailer(content))


def _trailer(content: bytes) -> bytes:
    return MAGIC + hashlib.sha256(content).hexdigest().encode()


def previous(path: Path) -> Path:
    """Where the checkpoint before the one at `path` is."""
    return path.with_name(f"previous_{path.name}")


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`, its checksum compared.

    Raises:
        FinegrainedError: missing, damaged, unsafe, or of another format.
    """
    content = read_regular(path)
    payload, trailer = content[:-TRAILER], content[-TRAILER:]
    if trailer.startswith(MAGIC) and trailer != _trailer(payload):
        raise FinegrainedError(f"checkpoint {path} is damaged: its content does not agree with its checksum")
    try:
        state: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise FinegrainedError(
            f"checkpoint {path} refused: it holds more than tensors and plain values and could run code"
        ) from None
    except Exception as error:  # zipfile, torch and the pickle reader each raise their own kind for a damaged file
        raise FinegrainedError(f"checkpoint {path} is damaged ({type(error).__name__})") from error
    if not trailer.startswith(MAGIC):
        raise FinegrainedError(f"checkpoint {path} is damaged, or of another program: it has no checksum")
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        version = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise FinegrainedError(f"checkpoint {path} has format {version}, this version reads {FORMAT}")
    return state


def load_latest(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The checkpoint at `path`, or the one before where that is damaged.

    Returns:
        the state, None where there never was one; what to tell the user, "" for nothing.
    Raises:
        FinegrainedError: both are damaged, or the newest could run code.
    """
    before = previous(path)
    if not path.is_file() and not before.is_file():
        return None, ""
    try:
        return load(path), ""
    except FinegrainedError as error:
        if not before.is_file() or "could run code" in str(error):
            raise FinegrainedError(f"{error}: delete it to start the run anew") from error
        return load(before), f"{error}; going on from the one before"


def save_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write a state dict as .safetensors, at once."""
    from safetensors.torch import save as to_bytes

    files.write_bytes(path, to_bytes({k: v.detach().cpu().contiguous() for k, v in state.items()}))


def load_weights_file(path: Path) -> dict[str, torch.Tensor]:
    """Read a .safetensors file.

    Raises:
        FinegrainedError: missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise FinegrainedError(f"weights {path.absolute()} can't be read: {error}") from None
