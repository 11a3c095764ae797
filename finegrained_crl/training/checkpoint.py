"""Checkpoints: tensors and plain values only, so that they load without running code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint at once: the old one stays until the new one is whole on the disk.

    Raises:
        FinegrainedError: the disk is full or not writable.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    files.write_bytes(path, buffer.getvalue())


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`.

    Raises:
        FinegrainedError: missing, damaged, unsafe, or of another format.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise FinegrainedError(f"no checkpoint {path.absolute()}") from None
    except pickle.UnpicklingError:
        raise FinegrainedError(f"checkpoint {path} refused: it holds more than tensors and plain values and could run code") from None
    except Exception as error:  # zipfile, torch and the pickle reader each raise their own kind for a damaged file
        raise FinegrainedError(f"checkpoint {path} is damaged ({type(error).__name__}): delete it to start the run anew") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise FinegrainedError(f"checkpoint {path} has format {found}, this version reads {FORMAT}")
    return state


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
