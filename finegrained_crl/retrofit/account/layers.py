"""Layers in the autograd graph: what they computed, computed once more for some rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.leaves import LAYERS
from finegrained_crl.retrofit.account.softmax_nodes import name_of

LINEAR, CONVOLUTION = ("Addmm", "Mm"), "Convolution"  # whose output can be computed again
NODES = 3000  # looked at below a watched value
KEEPING = ("T", "Transpose", "Permute")  # a weight, turned
WHOLE = 1024  # pixels of a picture that is convolved as a whole
CORNER = 8  # of a larger one: so many rows and columns of the output


def layers_among(nodes: Iterable[Any]) -> list[Any]:
    """The linear layers of a graph, the nearest to its root first."""
    return [node for node in nodes if name_of(node) in LINEAR]


def convolutions_among(nodes: Iterable[Any]) -> list[Any]:
    """Its convolutions, in the same order."""
    return [node for node in nodes if name_of(node) == CONVOLUTION]


def first_layers_below(roots: Iterable[Any]) -> set[Any]:
    """The layers that are met first on each way down."""
    visited = dict.fromkeys(roots)
    todo = list(visited)
    while todo and len(visited) < NODES:
        node = todo.pop()
        below = [] if name_of(node) in LAYERS else [child for child, _ in node.next_functions if child is not None]
        new = [child for child in below if child not in visited]
        visited.update(dict.fromkeys(new))
        todo += new
    return {node for node in visited if name_of(node) in LAYERS}


def scores_of(layer: Any, rows: int) -> Tensor:
    """Its output, float64, of the first rows; of a convolution as (rows, channels, ..), or the corner of each.

    Args:
        layer: whose backward pass has not been yet.
        rows: at most.
    Raises:
        AttributeError: an input, or the bias, is no parameter, and not kept.
    """
    if name_of(layer) == CONVOLUTION:
        return _convolved(layer, rows)
    x = _kept(layer, "mat1" if name_of(layer) == "Addmm" else "self")
    weight = _kept(layer, "mat2")
    if weight is None:  # its input needs no gradient
        weight = _parameter(layer.next_functions[-1][0])
    scores: Tensor = x[:rows] @ weight
    return (scores + _parameter(layer.next_functions[0][0]) if name_of(layer) == "Addmm" else scores).double()


def _convolved(layer: Any, rows: int) -> Tensor:
    x, weight = _kept(layer, "input"), _kept(layer, "weight")
    if weight is None:
        weight = _parameter(layer.next_functions[1][0])
    is_whole = x[0, 0].numel() <= WHOLE
    x = x[: rows if is_whole else CORNER]
    for axis in () if is_whole else range(2, x.dim()):
        stride, dilation = layer._saved_stride[axis - 2], layer._saved_dilation[axis - 2]
        x = x[(slice(None),) * axis + (slice(CORNER * stride + dilation * (weight.shape[axis] - 1)),)]
    has_bias = layer._saved_bias_sym_sizes_opt is not None
    bias = _parameter(layer.next_functions[2][0]) if has_bias else None
    how = (layer._saved_stride, layer._saved_padding, layer._saved_dilation, layer._saved_transposed)
    scores = torch.convolution(x, weight, bias, *how, layer._saved_output_padding, layer._saved_groups)
    for axis in () if is_whole else range(2, x.dim()):
        scores = scores.narrow(axis, 0, min(CORNER, scores.shape[axis]))
    return scores.double()


def _kept(layer: Any, part: str) -> Any:
    value = getattr(layer, f"_saved_{part}")
    return None if value is None else value.detach()


def _parameter(node: Any) -> Tensor:
    """The parameter that a factor, or the bias, is; a weight is turned, autocast rounds."""
    if name_of(node) == "ToCopy":
        return _parameter(node.next_functions[0][0]).to(node._input_metadata[0].dtype)
    if name_of(node) in KEEPING:
        return _parameter(node.next_functions[0][0]).t()
    value: Tensor = node.variable.detach()
    return value
