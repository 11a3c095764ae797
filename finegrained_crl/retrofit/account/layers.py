"""Linear layers in the autograd graph: what they computed, computed once more for some rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from finegrained_crl.retrofit.account.softmax_nodes import name_of

LINEAR = ("Addmm", "Mm")
NODES = 3000  # looked at below a watched value
KEEPING = ("T", "Transpose", "Permute")  # a weight, turned


def layers_among(nodes: Iterable[Any]) -> list[Any]:
    """The linear layers of a graph, the nearest to its root first."""
    return [node for node in nodes if name_of(node) in LINEAR]


def first_layers_below(roots: Iterable[Any]) -> set[Any]:
    """The linear layers that are met first on each way down."""
    visited = dict.fromkeys(roots)
    todo = list(visited)
    while todo and len(visited) < NODES:
        node = todo.pop()
        below = [] if name_of(node) in LINEAR else [child for child, _ in node.next_functions if child is not None]
        new = [child for child in below if child not in visited]
        visited.update(dict.fromkeys(new))
        todo += new
    return set(layers_among(visited))


def scores_of(layer: Any, rows: int) -> Tensor:
    """Its output, float64, of the first rows.

    Args:
        layer: whose backward pass has not been yet.
        rows: at most.
    Raises:
        AttributeError: an input, or the bias, is no parameter, and not kept.
    """
    x = _kept(layer, "mat1" if name_of(layer) == "Addmm" else "self")
    weight = _kept(layer, "mat2")
    if weight is None:  # its input needs no gradient
        weight = _parameter(layer.next_functions[-1][0])
    scores: Tensor = x[:rows] @ weight
    return (scores + _parameter(layer.next_functions[0][0]) if name_of(layer) == "Addmm" else scores).double()


def _kept(layer: Any, part: str) -> Any:
    value = getattr(layer, f"_saved_{part}")
    return None if value is None else value.detach()


def _parameter(node: Any) -> Tensor:
    """The parameter that a factor, or the bias, is; a weight is turned."""
    if name_of(node) in KEEPING:
        return _parameter(node.next_functions[0][0]).t()
    value: Tensor = node.variable.detach()
    return value
