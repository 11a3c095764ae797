"""Gradients that `torch.autograd.grad` returned: does the program go on with them, or does it only look at them?

It goes on where a later backward pass reads them: through their own graph (a gradient penalty, MAML), or through
weights that were moved by them (its first-order form).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from finegrained_crl.retrofit.account.leaves import nodes_below
from finegrained_crl.retrofit.account.softmax_nodes import name_of, shape_of

NODES = 20_000  # of a graph that is walked


def mark_what_is_read(streams: Iterable[Any], roots: Iterable[Any], values: str | None = None) -> bool:
    """Let returned gradients that a backward pass reads count like those that it accumulates.

    Args:
        streams: whose flows wait for an update.
        roots: graph nodes that the pass starts from.
        values: key of watched values, of which the pass must be one's (its gradients are returned, too: weights of rows
            that are learned, say, and no Hessian that is only shown); None for any.
    Returns:
        whether it reads any.
    """
    streams = [stream for stream in streams if stream.is_returned]  # else each pass would look at all that wait
    returned = [(stream, flow) for stream in streams for flow in stream.waiting if not flow.accumulates]
    if values is not None:
        returned = [(stream, flow) for stream, flow in returned if flow.logits is not None]
    if not returned:
        return False
    nodes = nodes_below([root for root in roots if root is not None], NODES)
    if values is not None and not any(values in node.metadata for node in nodes):
        return False
    moved = {id(leaf.variable) for node in nodes if (leaf := _moved_parameter(node)) is not None}
    read = [flow for stream, flow in returned if flow.logits in nodes or not moved.isdisjoint(stream.parameters)]
    for flow in read:
        flow.accumulates = True
    return bool(read)


def _moved_parameter(node: Any) -> Any:
    """The parameter that a constant of its shape is added to, as `weight - rate * gradient` does."""
    inputs = [child for child, _ in node.next_functions if child is not None]
    if name_of(node) not in ("Add", "Sub") or len(inputs) != 1 or not hasattr(inputs[0], "variable"):
        return None
    shape = shape_of(node)
    return inputs[0] if tuple(inputs[0].variable.shape) == shape and math.prod(shape) > 1 else None
