"""Is a loss of the target's probability computed without a call, in whatever way? Its gradient at the softmax says so.

Such a graph is written in more ways than can be told apart; but each cross-entropy by hand gives its logits k (p - e_c)
per row, with k > 0 and a class c, or k (p - t) with smoothed labels t. Entropies, distillations and attention do not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.layers import layers_among, scores_of
from finegrained_crl.retrofit.account.passes import node_of
from finegrained_crl.retrofit.account.softmax_nodes import child_of, comes_from, name_of

GRADIENT = "a loss of the target's probability that is written by hand (its gradient is that of a cross-entropy)"
NODES = 4  # nearest to the root of a pass
SHIFTS = 2  # of logits, such as by the largest one and by the target's
ROWS, MORE_AXES = 64, 8  # looked at, of a table; of each axis of a larger one
EVIDENCE = 12  # entries beyond those of three classes, which fit by chance
CLOSE = 1e-3  # to that of a cross-entropy, as a share of the target's entry; half precision is not
SOFTMAXES = ("LogSoftmax", "Softmax", "Logsumexp")


def watch_softmaxes(nodes: Iterable[Any], ours: str, tell: Callable[[str], None]) -> None:
    """Let the gradients at the softmaxes of a backward pass be looked at when they arrive.

    Args:
        nodes: of its graph, the nearest to the root first, without what lies below watched values.
        ours: key of the nodes that watched calls got their scores from.
        tell: takes what is found.
    """
    softmaxes = [node for node in nodes if name_of(node) in SOFTMAXES]
    for node in [node for node in softmaxes if ours not in node.metadata and not comes_from(node, ours)][:NODES]:
        with contextlib.suppress(Exception):  # freed by an earlier pass, or odd
            _watch(node, ours, tell)


def watch_layers(nodes: Iterable[Any], ours: str, tell: Callable[[str], None]) -> None:
    """The same at the outputs of linear layers: whatever a loss is made of, it gives these a gradient.

    Args:
        nodes: of the graph, the nearest to the root first, without the layers that scored for watched calls.
        ours: key of the nodes that watched calls got their scores from.
        tell: takes what is found.
    """
    for layer in [node for node in layers_among(nodes) if ours not in node.metadata][:NODES]:
        with contextlib.suppress(Exception):
            p = scores_of(layer, ROWS).softmax(1)
            layer.register_prehook(lambda gradients, p=p: _look(gradients, 0, 1, p, tell))


def look_at_given(roots: Iterable[Any], given: Iterable[Any], ours: str, tell: Callable[[str], None]) -> None:
    """Look at the gradients that a pass starts from.

    Args:
        roots: of the pass.
        given: a gradient, or None, for each of them.
        ours: key of the nodes that watched calls got their scores from.
        tell: takes what is found.
    """
    for root, gradient in zip(roots, given, strict=False):
        is_table = isinstance(gradient, Tensor) and isinstance(root, Tensor) and gradient.dim() > 1
        if is_table and root.shape == gradient.shape and ours not in getattr(node_of(root), "metadata", ()):
            _look([gradient.detach()], 0, 1, _rows(root.detach(), 1).softmax(1), tell)


def _watch(node: Any, ours: str, tell: Callable[[str], None]) -> None:
    axis = _axis(node._saved_dim)
    if name_of(node) != "Logsumexp":
        result = _rows(node._saved_result.detach(), axis)
        p = result.exp() if name_of(node) == "LogSoftmax" else result
        node.register_hook(lambda gradients, _: _look(gradients, 0, axis, p, tell))
        return
    # The target's entry is taken of the logits, beside it: only what arrives there is the whole gradient.
    p = _rows(node._saved_self.detach(), axis).softmax(1)
    for logits, number in _before_shifts(node):
        logits.register_prehook(lambda gradients, number=number: _look(gradients, number, axis, p, tell))


def _before_shifts(node: Any) -> list[tuple[Any, int]]:
    """Where the input of a node comes from, and, where that is shifted, what it was before."""
    steps: list[tuple[Any, int]] = []
    while len(steps) <= SHIFTS and child_of(node) is not None:
        steps.append(node.next_functions[0])
        node = child_of(node)
        if name_of(node) not in ("Sub", "Add"):
            break
    return steps


def _axis(dim: Any) -> int:
    number = int(dim[0] if isinstance(dim, Sequence) else dim)
    return number - (1 << 64) if number >= 1 << 63 else number


def _look(gradients: Sequence[Tensor | None], number: int, axis: int, p: Tensor, tell: Callable[[str], None]) -> None:
    gradient = gradients[number]
    if gradient is None:
        return
    with contextlib.suppress(Exception), torch.no_grad():
        if is_of_cross_entropy(_rows(gradient, axis), p):
            tell(GRADIENT)


def _rows(table: Tensor, axis: int) -> Tensor:
    """Some rows of it, copied, with the classes last."""
    table = table.movedim(axis, -1)
    kept = ROWS if table.dim() == 2 else MORE_AXES
    for leading in range(table.dim() - 1):
        table = table.narrow(leading, 0, min(kept, table.shape[leading]))
    return table.reshape(-1, table.shape[-1]).clone()


def is_of_cross_entropy(gradient: Tensor, p: Tensor) -> bool:
    """Whether each row is k (p - t), with k > 0 and one class each, or one class and the rest alike.

    Args:
        gradient, p: float, (rows, num_classes).
    """
    used = gradient.abs().sum(1) > 0
    gradient, p = gradient[used].double(), p[used].double()
    rows, classes = gradient.shape
    if rows * (classes - 3) < EVIDENCE:
        return False
    labels = gradient.argmin(1)
    different = len(labels.unique())
    if different == 1 or different == rows == classes:
        return False  # the first column's, or the batch's own samples: positives of a contrastive loss
    return _fits(gradient, p, labels)


def _fits(gradient: Tensor, p: Tensor, labels: Tensor) -> bool:
    """Beside the target's entry, which is the only negative one, the gradient must be k p - b (b: smoothed labels)."""
    rows, classes = gradient.shape
    others = torch.ones_like(p, dtype=torch.bool).scatter_(1, labels[:, None], False)
    g, q = gradient[others].view(rows, classes - 1), p[others].view(rows, classes - 1)
    spread = q - q.mean(1, keepdim=True)
    slope = ((g - g.mean(1, keepdim=True)) * spread).sum(1) / spread.pow(2).sum(1).clamp(min=1e-30)
    base = slope * q.mean(1) - g.mean(1)
    size = gradient.gather(1, labels[:, None]).abs()
    close = (g - slope[:, None] * q + base[:, None]).abs().amax(1) <= CLOSE * size[:, 0]
    balanced = gradient.sum(1).abs() <= CLOSE * size[:, 0]
    return bool((close & balanced).all())
