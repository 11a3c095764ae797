"""How were logits moved between where they were computed and the loss? The autograd graph says so.

The gradient is compared where it has all arrived: a term that reads the same logits may cut, scale or shift them anew.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from finegrained_crl.retrofit.account.softmax_nodes import child_of, name_of

RESHAPING = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze")
COPYING = ("Alias", "Clone", "ToCopy", "Contiguous", "LogSoftmax")
CUTTING = ("Slice", "Select")
SCALING = ("Mul", "Div")
SHIFTING = ("Add", "Sub")
LARGEST = 4_000_000  # logits whose gradient is cut or scaled, which may copy it
Move = tuple[str, tuple[float, ...]]
Moves = list[Move]
"""In the program's order: ("permute", axes), ("reshape", shape), ("slice", (axis, start, end, step)), ("select", (axis,
index)) or ("scale", (factor,))."""


def origin(scores: Tensor) -> tuple[Any, int, Moves]:
    """The node that computed the logits, the number of its output, and how they were moved since.

    Args:
        scores: the input of a loss: logits, or their log_softmax.
    """
    node, number = _node_of(scores)
    start = node, number
    moves: Moves = []
    shape = tuple(scores.shape)
    while node is not None:
        is_log = _is_log_of_softmax(node)
        node = child_of(node) if is_log else node
        step = (0, None, shape) if is_log else _step(node, shape)
        if step is None:
            return node, number, moves
        child, move, shape = step
        if move is not None:
            moves.insert(0, move)
        node, number = node.next_functions[child] if node.next_functions else (None, 0)
    return (*start, [])


def moved(gradient: Tensor, moves: Moves) -> Tensor:
    """The gradient at the scores that a gradient at their origin stands for."""
    for step, numbers in moves:
        whole: Any = numbers
        if step == "permute":
            gradient = gradient.permute(whole)
        elif step == "reshape":
            gradient = gradient.reshape(whole)
        elif step == "select":
            gradient = gradient.select(*whole)
        elif step == "slice":
            axis, start, end, every = whole
            gradient = gradient.movedim(axis, 0)[start:end:every].movedim(0, axis)
        else:
            gradient = gradient / numbers[0]
    return gradient


def _step(node: Any, shape: tuple[int, ...]) -> tuple[int, Move | None, tuple[int, ...]] | None:
    """One step up: which input, the move that leads down again, the shape above; None where the logits were computed.

    Args:
        node: that the values come from.
        shape: of these values.
    """
    name = name_of(node)
    if name in ("Transpose", "Permute"):
        axes = _axes(node, len(shape))
        return 0, ("permute", axes), tuple(shape[axes.index(axis)] for axis in range(len(shape)))
    if name in RESHAPING:
        return 0, ("reshape", shape), _shape_before(node, shape)
    if name in COPYING:
        return 0, None, shape
    if name in CUTTING:
        return _cut(node, name)
    if math.prod(shape) > LARGEST:
        return None
    if name in SCALING:
        return scaled(node, name, shape)
    return _shifted(node, shape) if name in SHIFTING else None


def _cut(node: Any, name: str) -> tuple[int, Move, tuple[int, ...]] | None:
    """Some classes, or one of several heads; rows are not followed, which several losses may share."""
    before = tuple(node._saved_self_sym_sizes)
    axis = _signed(node._saved_dim) % len(before)
    if axis == 0 or math.prod(before) > LARGEST:
        return None
    if name == "Select":
        return 0, ("select", (axis, _signed(node._saved_index))), before
    ends = (_signed(node._saved_start), _signed(node._saved_end), node._saved_step)
    return 0, ("slice", (axis, *ends)), before


def scaled(node: Any, name: str, shape: tuple[int, ...]) -> tuple[int, Move, tuple[int, ...]] | None:
    """By one number, such as a temperature, which may be learned."""
    for child, part in ((0, "other"), (1, "self"))[: 2 if name == "Mul" else 1]:
        number = getattr(node, f"_saved_{part}")
        if node.next_functions[child][0] is None or not isinstance(number, Tensor) or number.numel() != 1:
            continue
        factor = float(number.detach())
        if number.dim() < 2 and factor and math.isfinite(factor):
            return child, ("scale", (factor if name == "Mul" else 1 / factor,)), shape
    return None


def _shifted(node: Any, shape: tuple[int, ...]) -> tuple[int, None, tuple[int, ...]] | None:
    """By a constant, such as the logarithm of class frequencies."""
    (above, number), *others = node.next_functions
    if above is None or any(other is not None for other, _ in others):
        return None
    return (0, None, shape) if tuple(above._input_metadata[number].shape) == shape else None


def _shape_before(node: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if name_of(node) == "Unsqueeze":
        axis = _signed(node._saved_dim) % len(shape)
        return shape[:axis] + shape[axis + 1 :]
    return tuple(node._saved_self_sym_sizes)


def _node_of(scores: Tensor) -> tuple[Any, int]:
    if scores.grad_fn is not None:
        return scores.grad_fn, scores.output_nr
    # A leaf: the node that accumulates its gradient is reached by way of a view of it.
    return scores.view_as(scores).grad_fn.next_functions[0]  # type: ignore[union-attr, no-any-return]


def _is_log_of_softmax(node: Any) -> bool:
    return name_of(node) == "Log" and name_of(child_of(node)) == "Softmax"


def _axes(node: Any, dims: int) -> tuple[int, ...]:
    axes = list(range(dims))
    if name_of(node) == "Permute":
        return tuple(_signed(axis) % dims for axis in node._saved_dims)
    first, second = _signed(node._saved_dim0) % dims, _signed(node._saved_dim1) % dims
    axes[first], axes[second] = axes[second], axes[first]
    return tuple(axes)


def _signed(axis: int) -> int:
    """Negative axes are kept as unsigned numbers."""
    return axis - (1 << 64) if axis >= 1 << 63 else axis
