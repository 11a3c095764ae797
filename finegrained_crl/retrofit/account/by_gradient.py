"""Is a loss of the target's probability computed without a call, in whatever way? Its gradient at the softmax says so.

Such a graph is written in more ways than can be told apart; but each cross-entropy by hand gives its logits k (p - t)
per row, with targets t that `fits` tells from those of other losses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.fits import is_of_binary, is_of_cross_entropy, is_of_table
from finegrained_crl.retrofit.account.layers import convolutions_among, layers_among, scores_of
from finegrained_crl.retrofit.account.moves import SCALING, scaled
from finegrained_crl.retrofit.account.passes import node_of
from finegrained_crl.retrofit.account.softmax_nodes import child_of, comes_from, name_of, origin_of

GRADIENT = "a loss of the target's probability that is written by hand (its gradient is that of a cross-entropy)"
TABLE = (
    "a cross-entropy towards soft labels that several rows share trains here; if these are labels of classes, and no"
    " teacher's view of each picture, it is a class loss that stays the program's own"
)
BINARY = (
    "a binary cross-entropy of one logit trains here; if it is the class loss of two classes written as one, it stays"
    " the program's own"
)
NODES = 4  # nearest to the root of a pass
SHIFTS = 2  # of logits, such as by the largest one and by the target's
ROWS, MORE_AXES = 64, 8  # looked at, of a table; of each axis of a larger one
SOFTMAXES = ("LogSoftmax", "Softmax", "Logsumexp")


def watch_softmaxes(nodes: Iterable[Any], ours: str, tell: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Let the gradients at the softmaxes of a backward pass be looked at when they arrive.

    Args:
        nodes: of its graph, the nearest to the root first, without what lies below watched values.
        ours: key of the nodes that watched calls got their scores from.
        tell: takes what is found.
        note: takes what may as well be no class loss.
    """
    softmaxes = [node for node in nodes if name_of(node) in SOFTMAXES]
    for node in [node for node in softmaxes if ours not in node.metadata and not comes_from(node, ours)][:NODES]:
        with contextlib.suppress(Exception):  # freed by an earlier pass, or odd
            _watch(node, tell, note)


def watch_layers(nodes: Iterable[Any], ours: str, tell: Callable[[str], None], note: Callable[[str], None]) -> None:
    """The same at the outputs of layers, and behind a scale: whatever a loss is made of, it gives these a gradient.

    Args:
        nodes: of the graph, the nearest to the root first, without the layers that scored for watched calls.
        ours: key of the nodes that watched calls got their scores from.
        tell: takes what is found.
        note: takes what may as well be no class loss.
    """
    for layers in layers_among(nodes), convolutions_among(nodes):
        for layer in [node for node in layers if ours not in node.metadata][:NODES]:
            with contextlib.suppress(Exception):
                scores = scores_of(layer, ROWS)
                layer.register_prehook(lambda gradients, z=scores: _look_at_layer(gradients[0], z, tell, note))
                _watch_scaled(nodes, layer, scores, tell, note)


def _watch_scaled(
    nodes: Iterable[Any], layer: Any, scores: Tensor, tell: Callable[[str], None], note: Callable[[str], None]
) -> None:
    """Where a layer's scores are multiplied by one number: a temperature, a cosine's scale."""
    for node in [node for node in nodes if name_of(node) in SCALING]:
        step = scaled(node, name_of(node), ())
        if step is not None and origin_of(node.next_functions[step[0]][0]) is layer:
            p = (scores * step[1][1][0]).softmax(1)
            node.register_prehook(lambda gradients, p=p: _look(gradients, 0, 1, p, tell, note))


def _look_at_layer(
    gradient: Tensor | None, scores: Tensor, tell: Callable[[str], None], note: Callable[[str], None]
) -> None:
    if gradient is None:
        return
    with contextlib.suppress(Exception), torch.no_grad():
        if gradient.dim() > 2 and _is_pooled(gradient, scores):
            axes = tuple(range(2, gradient.dim()))
            gradient, scores = gradient.sum(axes), scores.mean(axes)
        if gradient.shape[1] == 1:
            if is_of_binary(_rows(gradient, 1)[:, 0], _rows(scores, 1)[:, 0]):
                note(BINARY)
            return
        _look([gradient], 0, 1, _rows(scores, 1).softmax(1), tell, note)


def _is_pooled(gradient: Tensor, scores: Tensor) -> bool:
    """Whether all positions get the same gradient: their mean is the score."""
    flat = gradient.flatten(2)
    return scores.shape[2:] == gradient.shape[2:] and bool((flat == flat[..., :1]).all())


def look_at_given(
    roots: Iterable[Any], given: Iterable[Any], ours: str, tell: Callable[[str], None], note: Callable[[str], None]
) -> None:
    """Look at the gradients that a pass starts from.

    Args:
        roots: of the pass.
        given: a gradient, or None, for each of them.
        ours: key of the nodes that watched calls got their scores from.
        tell: takes what is found.
        note: takes what may as well be no class loss.
    """
    for root, gradient in zip(roots, given, strict=False):
        is_table = isinstance(gradient, Tensor) and isinstance(root, Tensor) and gradient.dim() > 1
        if is_table and root.shape == gradient.shape and ours not in getattr(node_of(root), "metadata", ()):
            _look([gradient.detach()], 0, 1, _rows(root.detach(), 1).softmax(1), tell, note)


def _watch(node: Any, tell: Callable[[str], None], note: Callable[[str], None]) -> None:
    axis = _axis(node._saved_dim)
    if name_of(node) != "Logsumexp":
        result = _rows(node._saved_result.detach(), axis)
        p = result.exp() if name_of(node) == "LogSoftmax" else result
        node.register_hook(lambda gradients, _: _look(gradients, 0, axis, p, tell, note))
        return
    # The target's entry is taken of the logits, beside it: only what arrives there is the whole gradient.
    p = _rows(node._saved_self.detach(), axis).softmax(1)
    for logits, number in _before_shifts(node):
        logits.register_prehook(lambda gradients, number=number: _look(gradients, number, axis, p, tell, note))


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


def _look(
    gradients: Sequence[Tensor | None],
    number: int,
    axis: int,
    p: Tensor,
    tell: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    gradient = gradients[number]
    if gradient is None:
        return
    with contextlib.suppress(Exception), torch.no_grad():
        rows = _rows(gradient, axis)
        if is_of_cross_entropy(rows, p):
            tell(GRADIENT)
        elif is_of_table(rows, p):
            note(TABLE)


def _rows(table: Tensor, axis: int) -> Tensor:
    """Some rows of it, copied, with the classes last."""
    table = table.movedim(axis, -1)
    kept = ROWS if table.dim() == 2 else MORE_AXES
    for leading in range(table.dim() - 1):
        table = table.narrow(leading, 0, min(kept, table.shape[leading]))
    return table.reshape(-1, table.shape[-1]).clone()
