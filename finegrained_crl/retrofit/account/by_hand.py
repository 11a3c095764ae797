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

from finegrained_crl.retrofit.account.softmax_nodes import (
    bounded,
    child_of,
    children_of,
    is_log_softmax,
    is_softmax,
    logits_of_logsumexp,
    name_of,
    origin_of,
    shape_of,
    unshifted,
)

ENTRY = ("Gather", "Index", "Take")
PRODUCTS = {
    "Mul": ("self", "other"),
    "Bmm": ("self", "mat2"),
    "Mm": ("self", "mat2"),
    "Dot": ("self", "tensor"),
    "Xlogy": ("self",),
}
ROWS = 64  # of targets that are looked at
FEW_ROWS = 4  # with one label each that may be chance
LEAST = 3  # classes, below which a teacher's scores may look like smoothed targets
CROSS_ENTROPY = "a cross-entropy that is written by hand (log_softmax, and the target's entry of it)"
TARGETS = "a cross-entropy that is written by hand (log_softmax, multiplied with targets)"
BINARY = "a binary cross-entropy per class, of targets with one true class each"
PROBABILITY = "a loss of the target's probability that is written by hand (softmax, and the target's entry of it)"


def written_by_hand(node: Any, below: Iterable[Any]) -> str:
    """What a node of the graph is the last step of, "" for anything else.

    Args:
        node: of the graph.
        below: the nodes that its inputs come from.
    """
    name = name_of(node)
    origins = [origin for child in below if (origin := origin_of(child)) is not None]
    if _is_margin(node):
        return CROSS_ENTROPY
    if _takes_entry(node):
        if any(is_log_softmax(origin) for origin in origins):
            return CROSS_ENTROPY
        return PROBABILITY if any(is_softmax(origin) for origin in origins) else ""
    if name in ("Sub", "Add") and len(origins) == 2:
        return CROSS_ENTROPY if _is_rest(*origins) or _is_rest(*reversed(origins)) else ""
    if name in ("Diagonal", "Trace") and len(origins) == 1 and name_of(origins[0]) == "Mm":
        return TARGETS if _multiplies_targets(origins[0]) else ""
    if name == "Mul" and [name_of(origin) for origin in origins] == ["LogSigmoid"]:
        return BINARY if any(_are_one_class_each(factor) for factor in _factors(node)) else ""
    if name in ("Mul", "Bmm", "KlDiv", "Dot", "Xlogy") or (name == "Mm" and shape_of(node) == (1, 1)):
        return TARGETS if _multiplies_targets(node) else ""
    if name in ("BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"):
        return BINARY if _are_one_class_each(_saved(node, "target")) else ""
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
    if _are_one_hot(rows):
        return True
    ranked = rows[:ROWS].float().sort(dim=1, descending=True).values
    rest = ranked[:, 2 if rows.shape[1] > LEAST + 1 else 1 :]
    is_flat = (rest[:, 0] - rest[:, -1] < 1e-6) & (ranked[:, 0] > rest[:, 0])
    return rows.dtype != torch.bool and rows.shape[1] >= LEAST and bool(is_flat.all())


def _are_own_samples(rows: Tensor) -> bool:
    """Each row's class is another column: positives of a contrastive loss."""
    return rows.shape[0] == rows.shape[1] and len(rows.float().argmax(1).unique()) == len(rows)


def _multiplies_targets(product: Any) -> bool:
    """Whether one factor is a log_softmax, and the other one targets."""
    scores = children_of(product)
    if len(scores) != 1:
        return False
    is_logarithm = name_of(product) == "Xlogy"  # x log y, of the probabilities themselves
    if not (is_softmax(bounded(scores[0])) if is_logarithm else is_log_softmax(scores[0])):
        return False
    shape = shape_of(scores[0])
    return any(_are_targets_or_less(rows) for factor in _factors(product) for rows in _as_rows(factor, shape))


def _are_targets_or_less(rows: Tensor | None) -> bool:
    """Targets, or targets with the minus sign that makes a loss of them."""
    return are_targets(rows) or (rows is not None and rows.dtype != torch.bool and are_targets(-rows))


def _are_one_class_each(target: Tensor | None) -> bool:
    """Of several pictures and classes one true class in each row, so that these are no labels side by side."""
    if target is None or target.dim() != 2 or target.shape[0] < FEW_ROWS or target.shape[1] < LEAST:
        return False
    return _are_one_hot(target)


def _are_one_hot(rows: Tensor) -> bool:
    rows = rows[:ROWS]
    return bool(((rows == 0) | (rows == 1)).all()) and bool((rows.sum(1) == 1).all())


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


def _takes_entry(node: Any) -> bool:
    """Whether a step takes one class of each row: by index, or by a mask that is one-hot."""
    name = name_of(node)
    if name == "Select":
        return shape_of(node) == ()  # of one row, in a loop
    if name == "IndexSelect":
        return len(shape_of(child_of(node))) == 1  # of rows one after another; else it chooses whole rows
    masks = {"MaskedSelect": "mask", "MaskedFill": "mask", "Where": "condition"}
    if name not in masks:
        return name in ENTRY
    mask = _saved(node, masks[name])
    return mask is not None and (are_targets(mask) or are_targets(~mask))


def _is_margin(node: Any) -> bool:
    """logsumexp(z - z[target]), which is the same as logsumexp(z) - z[target]."""
    margins = logits_of_logsumexp(node)
    children = children_of(margins) if margins is not None and name_of(margins) == "Sub" else []
    if len(children) != 2:
        return False
    logits, entry = children
    return name_of(entry) in ENTRY and origin_of(child_of(entry)) is logits


def _saved(node: Any, part: str) -> Tensor | None:
    try:
        value = getattr(node, f"_saved_{part}", None)
    except RuntimeError:  # freed by an earlier pass
        return None
    return value if isinstance(value, Tensor) and not value.requires_grad else None


def _is_rest(whole: Any, entry: Any) -> bool:
    """logsumexp(z) - z[target], of the same z."""
    source = logits_of_logsumexp(whole)
    return source is not None and name_of(entry) in ENTRY and unshifted(origin_of(child_of(entry))) is source
