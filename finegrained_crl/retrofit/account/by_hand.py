"""Is a cross-entropy written out by hand below a backward pass? It is no call, so that it stays what it is.

It is known by its shape in the autograd graph: a log_softmax, the log of a softmax, or logits less their logsumexp, of
which the target's entry is taken, or which is multiplied with targets (one-hot, smoothed, or two classes mixed). A
teacher's scores, or positives among the batch's own samples, are no such targets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

UNCHANGED = (
    *("Neg", "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T", "Expand"),
    *("ToCopy", "Clone", "Slice", "Select", "Unbind", "Split"),
)
STEPS = 4  # of that kind, between a log_softmax and what is taken of it
ENTRY = ("Gather", "Index", "Take")
PRODUCTS = {"Mul": ("self", "other"), "Bmm": ("self", "mat2"), "Mm": ("self", "mat2"), "Dot": ("self", "tensor")}
ROWS = 64  # of targets that are looked at
LEAST = 3  # classes, below which a teacher's scores may look like smoothed targets
CROSS_ENTROPY = "a cross-entropy that is written by hand (log_softmax, and the target's entry of it)"
TARGETS = "a cross-entropy that is written by hand (log_softmax, multiplied with targets)"
PROBABILITY = "a loss of the target's probability that is written by hand (softmax, and the target's entry of it)"


def written_by_hand(node: Any, below: Iterable[Any]) -> str:
    """What a node of the graph is the last step of, "" for anything else.

    Args:
        node: of the graph.
        below: the nodes that its inputs come from.
    """
    name = name_of(node)
    origins = [origin for child in below if (origin := _origin(child)) is not None]
    if _is_margin(node):
        return CROSS_ENTROPY
    if _takes_entry(node):
        if any(_is_log_softmax(origin) for origin in origins):
            return CROSS_ENTROPY
        return PROBABILITY if any(_is_softmax(origin) for origin in origins) else ""
    if name in ("Sub", "Add") and len(origins) == 2:
        return CROSS_ENTROPY if _is_rest(*origins) or _is_rest(*reversed(origins)) else ""
    if name in ("Diagonal", "Trace") and len(origins) == 1 and name_of(origins[0]) == "Mm":
        return TARGETS if _multiplies_targets(origins[0]) else ""
    if name in ("Mul", "Bmm", "KlDiv", "Dot") or (name == "Mm" and _shape_of(node) == (1, 1)):
        return TARGETS if _multiplies_targets(node) else ""
    return ""


def are_targets(factor: Tensor | None) -> bool:
    """Whether the rows of a constant are one-hot, smoothed, or two classes mixed."""
    if factor is None:
        return False
    rows = factor.detach().squeeze(-1) if factor.dim() == 3 and factor.shape[-1] == 1 else factor.detach()
    if rows.dim() < 2 or rows.shape[-1] < 2 or not rows.numel():
        return False
    rows = rows.reshape(-1, rows.shape[-1])
    if _are_own_samples(rows):
        return False
    ranked = rows[:ROWS].float().sort(dim=1, descending=True).values
    if bool(((ranked[:, 0] == 1) & (ranked[:, 1:] == 0).all(1)).all()):
        return True
    rest = ranked[:, 2 if rows.shape[1] > LEAST + 1 else 1 :]
    is_flat = (rest[:, 0] - rest[:, -1] < 1e-6) & (ranked[:, 0] > rest[:, 0])
    return rows.dtype != torch.bool and rows.shape[1] >= LEAST and bool(is_flat.all())


def name_of(node: Any) -> str:
    """`MulBackward0` -> "Mul", `DiagonalBackward0_copy` (of the form that copies) -> "Diagonal"."""
    return type(node).__name__.removesuffix("_copy").rstrip("0123456789").removesuffix("Backward")


def _are_own_samples(rows: Tensor) -> bool:
    """Each row's class is another column: positives of a contrastive loss."""
    return rows.shape[0] == rows.shape[1] and len(rows.float().argmax(1).unique()) == len(rows)


def _multiplies_targets(product: Any) -> bool:
    """Whether one factor is a log_softmax, and the other one targets."""
    scores = [origin for child, _ in product.next_functions if (origin := _origin(child)) is not None]
    if len(scores) != 1 or not _is_log_softmax(scores[0]):
        return False
    shape = _shape_of(scores[0])
    return any(are_targets(rows) for factor in _factors(product) for rows in _as_rows(factor, shape))


def _factors(node: Any) -> list[Tensor | None]:
    if name_of(node) == "KlDiv":
        return [] if node._saved_log_target else [_saved(node, "target")]
    return [_saved(node, part) for part in PRODUCTS[name_of(node)]]


def _as_rows(factor: Tensor | None, shape: tuple[int, ...]) -> list[Tensor | None]:
    """A factor in the shape of the scores that it meets, which a matrix product may have turned or flattened."""
    if factor is None or len(shape) < 2:
        return [factor]
    if factor.dim() == 1 and len(factor) == shape[-1]:
        return [factor[None]]  # of a single row
    if tuple(factor.shape) == shape[::-1]:
        return [factor.t(), factor] if shape[0] == shape[1] else [factor.t()]
    return [factor.reshape(shape) if factor.numel() == math.prod(shape) else factor]


def _shape_of(node: Any) -> tuple[int, ...]:
    """Of the tensor that a node computed."""
    return tuple(node._input_metadata[0].shape)


def _takes_entry(node: Any) -> bool:
    """Whether a step takes one class of each row: by index, or by a mask that is one-hot."""
    name = name_of(node)
    if name == "Select":
        return _shape_of(node) == ()  # of one row, in a loop
    if name == "IndexSelect":
        return len(_shape_of(_child(node))) == 1  # of rows one after another; else it chooses whole rows
    masks = {"MaskedSelect": "mask", "MaskedFill": "mask", "Where": "condition"}
    if name not in masks:
        return name in ENTRY
    mask = _saved(node, masks[name])
    return mask is not None and (are_targets(mask) or are_targets(~mask))


def _is_margin(node: Any) -> bool:
    """logsumexp(z - z[target]), which is the same as logsumexp(z) - z[target]."""
    margins = _logits_of_logsumexp(node)
    if margins is None or name_of(margins) != "Sub" or len(margins.next_functions) < 2:
        return False
    logits, entry = (_origin(child) for child, _ in margins.next_functions[:2])
    return name_of(entry) in ENTRY and _origin(_child(entry)) is logits


def _saved(node: Any, part: str) -> Tensor | None:
    try:
        value = getattr(node, f"_saved_{part}", None)
    except RuntimeError:  # freed by an earlier pass
        return None
    return value if isinstance(value, Tensor) and not value.requires_grad else None


def _is_rest(whole: Any, entry: Any) -> bool:
    """logsumexp(z) - z[target], of the same z."""
    source = _logits_of_logsumexp(whole)
    return source is not None and name_of(entry) in ENTRY and _origin(_child(entry)) is source


def _is_log_softmax(node: Any) -> bool:
    if name_of(node) == "LogSoftmax":
        return True
    if name_of(node) == "Log":
        return _is_softmax(_origin(_bounded(_child(node))))
    children = [_origin(child) for child, _ in node.next_functions] if name_of(node) in ("Sub", "Add") else []
    return len(children) == 2 and any(_logits_of_logsumexp(a) is b for a, b in (children, children[::-1]))


def _is_softmax(node: Any) -> bool:
    """A softmax, or `exp` over its sum."""
    if name_of(node) == "Softmax":
        return True
    if name_of(node) != "Div" or len(node.next_functions) < 2:
        return False
    whole, total = (_origin(child) for child, _ in node.next_functions[:2])
    part = _origin(_child(total))
    are_exp = name_of(whole) == "Exp" and name_of(total) == "Sum" and name_of(part) == "Exp"
    return are_exp and _origin(_child(whole)) is _origin(_child(part))


def _bounded(node: Any) -> Any:
    """Before `p + eps` or `p.clamp(eps)`, which keep the log finite."""
    return _child(node) if name_of(node) in ("Add", "Clamp", "ClampMin") else node


def _logits_of_logsumexp(node: Any) -> Any:
    """Where the logits of `logsumexp`, or of `exp().sum().log()`, come from."""
    if node is not None and name_of(node) == "Logsumexp":
        return _origin(_child(node))
    for name in ("Log", "Sum", "Exp"):
        if node is None or name_of(node) != name:
            return None
        node = _origin(_child(node))
    return node


def _origin(node: Any) -> Any:
    for _ in range(STEPS):
        if node is None or name_of(node) not in UNCHANGED or _child(node) is None:
            break
        node = _child(node)
    return node


def _child(node: Any) -> Any:
    return node.next_functions[0][0] if node is not None and node.next_functions else None
