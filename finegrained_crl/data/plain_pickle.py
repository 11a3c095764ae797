"""Pickles of plain values: dicts, lists, texts, bytes, numbers and arrays of bytes or integers; nothing else is built.

CIFAR is published as pickles, and a pickle is a program. The names that one may use here stand for functions of this
module; any other name is refused before anything is called. Not even NumPy's own functions run: an array is put
together from its bytes. The reader is Python's own one in Python, whose memo is a dict: the one in C takes any amount
of memory for a large memo index.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl import escaping
from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError

MOST_BYTES = 512 << 20
KINDS = frozenset({"u1", "i1", "i2", "i4", "i8", "u2", "u4", "u8"})


def read_plain_pickle(path: Path) -> Any:
    """What a pickle holds; texts of Python 2 are bytes.

    Raises:
        FinegrainedError: no regular file, damaged, or holding anything but plain values.
    """
    content = read_regular(path, MOST_BYTES)
    try:
        return _finished(_PlainUnpickler(io.BytesIO(content), encoding="bytes").load(), {})
    except _RefusedError as error:
        wish = escaping.plain(str(error)[:80])
        raise FinegrainedError(f"{path}: refused, the pickle wants {wish}; get it from its official place") from None
    except Exception as error:  # a damaged pickle makes the reader raise whatever its bytes lead to
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise FinegrainedError(f"{path} is no pickle that can be read ({reason}); download it again") from error


class _RefusedError(Exception):
    """A name that no plain value needs."""


class _Array:
    """An array while its pickle is read."""

    def __init__(self, *_shape: Any) -> None:
        self.values: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _version, shape, kind, by_columns, content = state
        if not isinstance(kind, _Kind) or not isinstance(content, bytes):
            raise _RefusedError("an array of objects")
        flat = np.frombuffer(content, dtype=kind.name)
        self.values = flat.reshape(shape, order="F" if by_columns else "C")


class _Kind:
    """An array's type of number while its pickle is read."""

    def __init__(self, name: Any, *_flags: Any) -> None:
        text = name.decode("ascii") if isinstance(name, bytes) else str(name)
        if text not in KINDS:
            raise _RefusedError(f"an array of '{text}'")
        self.name = text

    def __setstate__(self, state: Any) -> None:
        self.name = ("<" if state[1] in (b"|", "|") else _order(state[1])) + self.name


def _order(sign: Any) -> str:
    return ">" if sign in (b">", ">") else "<"


def _encoded(text: Any, encoding: Any) -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise _RefusedError(f"bytes by way of {encoding!r}")
    return text.encode("latin1")


NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encoded,
}


class _PlainUnpickler(pickle._Unpickler):  # type: ignore[name-defined, misc]
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise _RefusedError(f"{module}.{name}")
        return NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError(f"something outside of it ({pid!r})")


def _finished(value: Any, seen: dict[int, Any]) -> Any:
    """Plain values, the arrays finished.

    Args:
        value: what the pickle gave.
        seen: what has been finished, by id: a list that stands a thousand times in another is finished once.
    """
    if id(value) not in seen:
        seen[id(value)] = _finished_anew(value, seen)
    return seen[id(value)]


def _finished_anew(value: Any, seen: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        if value.values is None:
            raise _RefusedError("an array without values")
        return value.values
    if isinstance(value, dict):
        return {_finished(key, seen): _finished(entry, seen) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finished(entry, seen) for entry in value]
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise _RefusedError(f"a {type(value).__name__}")
