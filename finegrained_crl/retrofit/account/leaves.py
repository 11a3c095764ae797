"""Where the graph below a loss ends: its leaves, the parameters among them, and what is remembered of one."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.softmax_nodes import name_of

NODES = 3000  # of a graph walked for its parameters
FEW = 8  # values of a parameter kept, to see whether it was changed by hand


def parameters_of(owner: Any) -> Iterable[Any]:
    """Of an optimiser, or of a module."""
    groups = getattr(owner, "param_groups", None)
    if groups is None:
        yield from owner.parameters()
        return
    for group in groups:
        yield from group["params"]


def are_finite(owner: Any) -> bool:
    """Whether no gradient of an optimiser, or of a module, overflowed."""
    gradients = (parameter.grad for parameter in parameters_of(owner))
    return all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients)


def leaves_of(root: Any) -> list[Any]:
    """The nodes where gradients are accumulated."""
    leaves, visited, todo = [], {root}, [root]
    while todo and len(visited) < NODES:
        node = todo.pop()
        if name_of(node) == "AccumulateGrad" or hasattr(node, "variable"):
            leaves.append(node)
        for child, _ in node.next_functions:
            if child is not None and child not in visited:
                visited.add(child)
                todo.append(child)
    return leaves


def is_parameter(leaf: Any) -> bool:
    """Whether a leaf is a parameter, and no picture."""
    return isinstance(leaf.variable, torch.nn.Parameter)


def reaches_parameters(leaves: list[Any]) -> bool:
    """Whether this pass ends at parameters; a program without any trains other leaves."""
    parameters = [leaf for leaf in leaves if is_parameter(leaf)]
    return not leaves or any(_runs(leaf) for leaf in parameters or leaves)


def reached_parameter(leaves: list[Any]) -> weakref.ref[Any] | None:
    """One of the parameters that this pass leaves a gradient in; `backward(inputs=..)` passes others by."""
    for leaf in leaves:
        if is_parameter(leaf) and _runs(leaf):
            return weakref.ref(leaf.variable)
    return None


def _runs(leaf: Any) -> bool:
    try:
        return bool(torch._C._will_engine_execute_node(leaf))
    except RuntimeError:
        return True  # `autograd.grad` asks for this leaf itself


def remembered(leaves: list[Any]) -> tuple[Any, int, Tensor] | None:
    """One parameter as it is now: a weak reference, the version of its memory, its first values."""
    for leaf in leaves:
        if is_parameter(leaf):
            return weakref.ref(leaf.variable), leaf.variable._version, few_values(leaf.variable)
    return None


def few_values(parameter: Tensor) -> Tensor:
    """The first values of a parameter, copied."""
    with torch.no_grad():
        return parameter.detach().flatten()[:FEW].clone()
