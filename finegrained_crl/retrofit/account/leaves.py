"""Where the graph below a loss ends: its leaves, the parameters among them, and what is remembered of one."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import TensorWeakRef

from finegrained_crl.retrofit.account.softmax_nodes import name_of

NODES = 3000  # of a graph walked for its parameters
FEW = 64  # values of a parameter kept, to see whether it was changed by hand
LAYERS = ("Addmm", "Mm", "Bmm", "Convolution", "MkldnnConvolution", "CudnnConvolution", "Linear")
RESTORED = 1e-6  # of a value, that adding and taking off again may change it by


def parameters_of(owner: Any) -> Iterable[Any]:
    """Of an optimiser, or of a module."""
    groups = getattr(owner, "param_groups", None)
    if groups is None:
        yield from owner.parameters()
        return
    for group in groups:
        yield from group["params"]


def is_at_rest(optimizer: Any) -> bool:
    """Whether its step changes nothing: the learning rate of each group is 0."""
    return all(group.get("lr", 1) == 0 for group in optimizer.param_groups)


def are_finite(owner: Any) -> bool:
    """Whether no gradient of an optimiser, or of a module, overflowed."""
    gradients = (parameter.grad for parameter in parameters_of(owner))
    return all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients)


def leaves_of(root: Any) -> list[Any]:
    """The nodes where gradients are accumulated."""
    nodes = nodes_below([root], NODES)
    return [node for node in nodes if name_of(node) == "AccumulateGrad" or hasattr(node, "variable")]


def nodes_below(roots: Iterable[Any], most: int) -> dict[Any, None]:
    """The graph below some nodes, these included, in the order in which it was met.

    Args:
        roots: where to begin.
        most: nodes after which the walk ends.
    """
    visited = dict.fromkeys(roots)
    todo = list(visited)
    while todo and len(visited) < most:
        node = todo.pop()
        for child, _ in node.next_functions:
            if child is not None and child not in visited:
                visited[child] = None
                todo.append(child)
    return visited


def accumulator_of(leaf: Tensor) -> Any:
    """The node where its gradient is accumulated, which is reached by way of a view of it."""
    with torch.enable_grad():
        return leaf.view_as(leaf).grad_fn.next_functions[0][0]  # type: ignore[union-attr]


def is_parameter(leaf: Any) -> bool:
    """Whether a leaf is a parameter, and no picture."""
    return isinstance(leaf.variable, torch.nn.Parameter)


def trained_by(leaves: list[Any], root: Any) -> dict[int, Any]:
    """What an update of these gradients changes, `id` -> weak reference: parameters, or other leaves where a network
    without any lies before them (an attack on its pictures); empty where that can't be told (a pass that is cut at the
    logits).

    Args:
        leaves: below the root.
        root: of a graph; None where it is known to be cut.
    """
    parameters = [leaf for leaf in leaves if is_parameter(leaf)]
    visited = nodes_below([root], NODES) if root is not None and not parameters else {}
    if not parameters and not any(name_of(node) in LAYERS for node in visited):
        return {}
    return {id(leaf.variable): TensorWeakRef(leaf.variable) for leaf in parameters or leaves}


def reaches_parameters(leaves: list[Any]) -> bool:
    """Whether this pass ends at parameters; a program without any trains other leaves."""
    parameters = [leaf for leaf in leaves if is_parameter(leaf)]
    return not leaves or any(_runs(leaf) for leaf in parameters or leaves)


def reached_parameter(leaves: list[Any]) -> weakref.ref[Any] | None:
    """One of the parameters that this pass leaves a gradient in; `backward(inputs=..)` passes others by.

    A program without any trains other leaves, or none at all (an attack on pictures).
    """
    for leaf in [leaf for leaf in leaves if is_parameter(leaf)] or leaves:
        if _runs(leaf):
            return weakref.ref(leaf.variable)
    return None


def _runs(leaf: Any) -> bool:
    try:
        return bool(torch._C._will_engine_execute_node(leaf))
    except RuntimeError:
        return True  # `autograd.grad` asks for this leaf itself


def remembered(reference: weakref.ref[Any] | TensorWeakRef | None) -> tuple[Any, Tensor] | None:
    """A parameter as it is now: the reference, and some of its values; None for what is no parameter."""
    parameter = reference() if reference is not None else None
    return (reference, few_values(parameter)) if isinstance(parameter, torch.nn.Parameter) else None


def is_changed(before: tuple[Any, Tensor]) -> bool:
    """Whether a parameter has other values than it had, and was not moved and put back."""
    reference, values = before
    parameter = reference()
    if parameter is None:
        return False
    now, then = few_values(parameter).double(), values.to(parameter.device).double()
    # A parameter that is kept in parts has another shape at times.
    return now.shape == then.shape and bool(((now - then).abs() > RESTORED * then.abs()).any())


def is_as_before(before: tuple[Any, Tensor]) -> bool:
    """Whether a parameter has the very values that it had."""
    now, then = few_values(before[0]()).double(), before[1].double()
    return torch.equal(now, then.to(now.device))


def has_no_gradient(parameter: Tensor) -> bool:
    """Whether its gradient is gone: None, or zero in each element."""
    gradient = parameter.grad
    with contextlib.suppress(Exception):  # of an odd kind of tensor nothing is said
        return gradient is None or not (bool(few_values(gradient).any()) or bool(gradient.any()))
    return False


def few_values(tensor: Tensor) -> Tensor:
    """Some values from all over a parameter, or a gradient, copied."""
    with torch.no_grad():
        flat = (tensor.detach().coalesce().values() if tensor.is_sparse else tensor.detach()).flatten()
        return flat[:: max(1, len(flat) // FEW)][:FEW].clone()
