"""Which layer computes the class scores? The product of features and weights that is met first below the logits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from finegrained_crl.retrofit.account.leaves import LAYERS, is_parameter, nodes_below
from finegrained_crl.retrofit.account.softmax_nodes import UNCHANGED, name_of

STEPS = 40  # looked at between logits and layer
WEIGHT = 16  # nodes that make a weight of parameters, by a norm or a mask: fewer than these
KEEPING = frozenset(
    (
        *UNCHANGED,
        *("Mul", "Div", "Add", "Sub", "Log", "LogSoftmax", "Softmax", "Where", "Mean", "Sum", "Stack", "Cat"),
        *("Cos", "Acos", "Sqrt", "Pow", "Clamp", "ClampMin", "IndexPut", "Index", "ScatterAdd", "Scatter"),
    )
)
"""Between a layer and the logits: scales, margins, a mean over positions. Beyond a ReLU or a norm lies another one."""


def layers_of_scores(logits: Any) -> list[Any]:
    """The layers that logits come from.

    Args:
        logits: the node that computed them.
    """
    visited = dict.fromkeys([logits])
    todo = list(visited)
    while todo and len(visited) < STEPS:
        node = todo.pop()
        steps = node.next_functions if name_of(node) in KEEPING else ()
        new = [child for child, _ in steps if child is not None and child not in visited]
        visited.update(dict.fromkeys(new))
        todo += new
    return [node for node in visited if name_of(node) in LAYERS]


def weights_of(layer: Any) -> list[Tensor]:
    """The parameters that a layer multiplies features with; none for a penalty, which multiplies them by themselves."""
    sides = [_parameters_alone(child) for child, _ in layer.next_functions]
    is_with_features = any(side is None for side in sides)
    return [weight for side in sides if side for weight in side if weight.dim() > 1] if is_with_features else []


def users_of(weight: Tensor, nodes: Iterable[Any]) -> list[Any]:
    """The layers among these nodes that have this parameter as a weight."""
    return [node for node in nodes if name_of(node) in LAYERS and any(w is weight for w in weights_of(node))]


def _parameters_alone(node: Any) -> list[Tensor] | None:
    """The parameters that one side of a product is made of; None where anything else takes part."""
    nodes = nodes_below([node], WEIGHT) if node is not None else {}
    leaves = [node for node in nodes if hasattr(node, "variable")]
    is_whole = 0 < len(nodes) < WEIGHT and all(map(is_parameter, leaves))
    if not is_whole or any(name_of(node) in LAYERS and _has_constant(node) for node in nodes):
        return None
    return [leaf.variable for leaf in leaves]


def _has_constant(node: Any) -> bool:
    """Pictures need no gradient, so that no node stands for them."""
    return any(child is None for child, _ in node.next_functions)
