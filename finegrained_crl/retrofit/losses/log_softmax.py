"""Is this tensor a log_softmax over the classes? Only then is the negative log-likelihood a cross-entropy.

The autograd graph remembers: the tensor must come from log_softmax, or from log of softmax, through steps that only
rename, reshape, cast or pick rows. A reshaped tensor, and one without a graph, is also summed up: its probabilities
must make 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

RESHAPING = (
    "View", "UnsafeView", "ReshapeAlias", "Transpose", "Permute", "T",
    "Squeeze", "Unsqueeze", "Slice", "Select", "Index", "IndexSelect",
    "Expand", "Repeat",
)  # fmt: skip
TOLERANCE = 1e-3  # of the sum of probabilities; bfloat16 log-probabilities of 1000 classes stay inside in practice


def doubt(log_probabilities: Tensor) -> str:
    """Say why the tensor is not a log_softmax over its class axis; "" where it is one.

    >>> doubt(torch.zeros(2, 3, requires_grad=True).log_softmax(1)), doubt(torch.zeros(2, 3))[:15]
    ('', 'its input is no')
    """
    axis = min(log_probabilities.dim() - 1, 1)
    if log_probabilities.grad_fn is None:
        return (
            ""
            if _sums_to_one(log_probabilities, axis)
            else "its input is no log_softmax (the probabilities don't sum to 1)"
        )
    node: Any = log_probabilities.grad_fn
    moved = False
    while _kind(node) in RESHAPING or _kind(node) in ("ToCopy", "Clone", "Alias", "Contiguous"):
        moved = moved or _kind(node) in RESHAPING
        node = node.next_functions[0][0] if node.next_functions else None
        if node is None:
            break
    if not _comes_from_softmax(node):
        return (
            f"its input does not come from log_softmax but from {_kind(node) or 'a leaf tensor'}: no cross-entropy to"
            " start from"
        )
    direct = not moved and _kind(node) == "LogSoftmax" and _same_axis(node, log_probabilities.dim(), axis)
    if direct or _sums_to_one(log_probabilities, axis):
        return ""
    return "its input is a log_softmax over another axis than the classes"


def _kind(node: object) -> str:
    return type(node).__name__.partition("Backward")[0] if node is not None else ""


def _comes_from_softmax(node: object) -> bool:
    if _kind(node) == "Log":
        before = node.next_functions[0][0]  # type: ignore[attr-defined]
        return _kind(before) == "Softmax"
    return _kind(node) == "LogSoftmax"


def _same_axis(node: object, dim: int, axis: int) -> bool:
    saved = getattr(node, "_saved_dim", None)
    if saved is None:
        return False
    return bool(
        (saved - (1 << 64) if saved >= 1 << 63 else saved) % dim == axis
    )  # negative axes are kept as unsigned numbers


def _sums_to_one(log_probabilities: Tensor, axis: int) -> bool:
    with torch.no_grad():
        sums = log_probabilities.detach().float().logsumexp(axis)
        return bool((sums.abs() < TOLERANCE).all())
