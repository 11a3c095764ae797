"""Softmax, log_softmax and logsumexp in the autograd graph, as PyTorch computes them and as programs write them out."""

from __future__ import annotations

from typing import Any

UNCHANGED = (
    *("Neg", "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T", "Expand"),
    *("ToCopy", "Clone", "Slice", "Select", "Unbind", "Split"),
)
STEPS = 4  # of that kind, between a log_softmax and what is taken of it
LOGARITHMS = ("Log", "Log2", "Log10")
LARGEST = ("Max", "Amax")


def name_of(node: Any) -> str:
    """`MulBackward0` -> "Mul", `DiagonalBackward0_copy` (of the form that copies) -> "Diagonal"."""
    return type(node).__name__.removesuffix("_copy").rstrip("0123456789").removesuffix("Backward")


def shape_of(node: Any) -> tuple[int, ...]:
    """Of the tensor that a node computed."""
    return tuple(node._input_metadata[0].shape)


def child_of(node: Any) -> Any:
    """Where a node's first input comes from."""
    return node.next_functions[0][0] if node is not None and node.next_functions else None


def children_of(node: Any) -> list[Any]:
    """Where a node's inputs come from, behind steps that change no value; constants come from nowhere."""
    return [origin_of(child) for child, _ in node.next_functions if child is not None]


def comes_from(node: Any, key: str) -> bool:
    """Whether one of the next steps to the logits has this key among its metadata."""
    for _ in range(STEPS):
        node = child_of(node)
        if node is None or key in node.metadata:
            break
    return node is not None and key in node.metadata


def origin_of(node: Any) -> Any:
    """The node behind steps that change no value."""
    for _ in range(STEPS):
        if node is None or name_of(node) not in UNCHANGED or child_of(node) is None:
            break
        node = child_of(node)
    return node


def is_log_softmax(node: Any) -> bool:
    """PyTorch's, the log of a softmax, or logits less their logsumexp."""
    if name_of(node) == "LogSoftmax":
        return True
    if name_of(node) in LOGARITHMS:
        return is_softmax(bounded(origin_of(child_of(node))))
    children = children_of(node) if name_of(node) in ("Sub", "Add") else []
    pairs = [children, children[::-1]] if len(children) == 2 else []
    return any(logits is not None and logits is unshifted(b) for a, b in pairs if (logits := logits_of_logsumexp(a)))


def is_softmax(node: Any) -> bool:
    """PyTorch's, `exp` over its sum, or one of these divided by its sum once more."""
    if name_of(node) == "Softmax":
        return True
    children = children_of(node) if name_of(node) == "Div" else []
    if len(children) != 2 or name_of(children[1]) != "Sum":
        return False
    whole, part = children[0], origin_of(child_of(children[1]))
    if name_of(whole) == name_of(part) == "Exp":
        return unshifted(origin_of(child_of(whole))) is unshifted(origin_of(child_of(part)))
    return part is whole and is_softmax(whole)


def logits_of_logsumexp(node: Any) -> Any:
    """Where the logits of `logsumexp`, or of `exp().sum().log()`, come from; None for anything else."""
    node = unshifted(node)
    if node is not None and name_of(node) == "Logsumexp":
        return unshifted(origin_of(child_of(node)))
    for name in ("Log", "Sum", "Exp"):
        if node is None or name_of(node) != name:
            return None
        node = origin_of(child_of(node))
    return unshifted(node)


def unshifted(node: Any) -> Any:
    """Before a constant, or the largest logit, is taken off or put back, which keeps `exp` finite."""
    children = children_of(node) if node is not None and name_of(node) in ("Sub", "Add") else []
    is_shift = len(children) == 1 or (len(children) == 2 and name_of(children[1]) in LARGEST)
    return children[0] if is_shift else node


def bounded(node: Any) -> Any:
    """Before `p + eps` or `p.clamp(eps)`, which keep the log finite."""
    return origin_of(child_of(node)) if name_of(node) in ("Add", "Clamp", "ClampMin") else node
