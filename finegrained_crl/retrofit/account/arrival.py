"""Proof in the program: the gradient that arrives at the logits, row by row, against g(p_c) (p - e_c).

A sample of rows is kept of each of the first calls. When the backward pass goes through a loss's value, what arrives
there gives each row its factor; when it reaches the logits, the sum over all losses of these logits must be there. What
is more, or less, is explained by `misfit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.misfit import Finding, History, Rows, judge
from finegrained_crl.retrofit.account.softmax_nodes import name_of
from finegrained_crl.retrofit.losses.positions import class_last, pick_rows, pick_targets, positions_of

MARK = "fgcrl-arrival"
RESHAPING = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze")
COPYING = ("Alias", "Clone", "ToCopy", "Contiguous", "LogSoftmax")
Moves = list[tuple[str, tuple[int, ...]]]  # ("permute", axes) or ("reshape", shape), in the program's order


@dataclass
class Options:
    """Of a call: class weights, the ignored class, label smoothing, and the reduction."""

    weight: Tensor | None
    ignore_index: int
    smoothing: float
    reduction: str


class Sample:
    """Some rows of one call's logits.

    Args:
        scores, target: of the call; log-probabilities do as well.
        options: of the call.
        crl: alpha and beta; beta = 0 for a call that stays cross-entropy.
        history: earlier rows of the chain, where batches are small.
        tell: takes what is found.
    """

    def __init__(
        self,
        scores: Tensor,
        target: Tensor,
        options: Options,
        crl: tuple[float, float],
        history: History,
        tell: Callable[[Finding], None],
    ) -> None:
        self.positions = positions_of(scores)
        self.rows = pick_rows(scores, self.positions)
        self.target = pick_targets(target, scores, self.positions)
        self.options, self.crl, self.history, self.tell = options, crl, history, tell
        self._divisor = _divisor(scores, target, options)
        self.factor: Tensor | None = None

    def weigh(self, arriving: Tensor) -> None:
        """Keep the factor of each row: what arrives at the value, divided as the reduction divides."""
        with torch.no_grad():
            if self.options.reduction == "none":
                self.factor = arriving.detach().reshape(-1)[self.positions.to(arriving.device)].float()
            else:
                self.factor = (arriving.detach().float() / self._divisor).expand(len(self.positions))

    def as_rows(self) -> Rows:
        """The numbers that `misfit` compares."""
        assert self.factor is not None
        return Rows(self.rows, self.target, self.factor, self.options, self.crl, self.history)


class Arrival:
    """Stands where the logits were computed, and is called when all of their gradient has arrived."""

    def __init__(self, number: int, shape: torch.Size, moves: Moves) -> None:
        self.number, self.shape, self.moves = number, shape, moves
        self.samples: list[Sample] = []

    def __call__(self, gradients: Sequence[Tensor | None]) -> None:
        """Called by the engine with the gradients of all outputs of the node."""
        weighed = [sample for sample in self.samples if sample.factor is not None]
        gradient = gradients[self.number] if self.number < len(gradients) else None
        if not weighed or gradient is None:
            return
        try:
            with torch.no_grad():
                actual = pick_rows(self._as_scores(gradient), weighed[0].positions)
                finding = judge(actual, [sample.as_rows() for sample in weighed], gradient.dtype)
        except Exception as error:  # the proof must not stop a program: what can't be compared is not compared
            text = f"the gradient at the logits could not be compared ({type(error).__name__}: {str(error)[:100]})"
            finding = Finding("note", 0.0, 0, text)
        for sample in weighed:
            sample.factor = None
            sample.tell(finding)

    def _as_scores(self, gradient: Tensor) -> Tensor:
        for step, numbers in self.moves:
            gradient = gradient.permute(numbers) if step == "permute" else gradient.reshape(numbers)
        return gradient


def stand_at_logits(scores: Tensor, sample: Sample) -> None:
    """Let a sample be compared when the gradient arrives at the logits that the scores were made from.

    Args:
        scores: the input of the loss: logits, reshaped logits, or their log_softmax.
        sample: of that call.
    """
    node, number, moves = _origin(scores)
    if node is None:
        return
    arrivals = node.metadata.setdefault(MARK, {})
    if number not in arrivals:
        arrivals[number] = Arrival(number, scores.shape, moves)
        node.register_prehook(arrivals[number])
    arrival = arrivals[number]
    if arrival.shape == scores.shape and arrival.moves == moves:
        arrival.samples.append(sample)


def _origin(scores: Tensor) -> tuple[Any, int, Moves]:
    """The node that computed the logits, the number of its output, and how its axes were moved since."""
    node, number = _node_of(scores)
    start = node, number
    moves: Moves = []
    shape = tuple(scores.shape)
    while node is not None:
        name = name_of(node)
        if name in ("Transpose", "Permute"):
            axes = _axes(node, len(shape))
            moves.insert(0, ("permute", axes))
            shape = tuple(shape[axes.index(axis)] for axis in range(len(shape)))
        elif name in RESHAPING:
            moves.insert(0, ("reshape", shape))
            shape = _shape_before(node, shape)
        elif _is_log_of_softmax(node):
            node = _below(node)
        elif name not in COPYING:
            break
        node, number = node.next_functions[0] if node is not None and node.next_functions else (None, 0)
    return (node, number, moves) if node is not None else (*start, [])


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
    return name_of(node) == "Log" and name_of(_below(node)) == "Softmax"


def _below(node: Any) -> Any:
    return node.next_functions[0][0] if node.next_functions else None


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


def _divisor(scores: Tensor, target: Tensor, options: Options) -> Tensor | float:
    if options.reduction != "mean":
        return 1.0
    if target.is_floating_point() and target.shape == scores.shape:
        return max(1, scores.numel() // max(1, class_last(scores).shape[-1]))
    kept = target != options.ignore_index
    if options.weight is None:
        return kept.sum()
    return (options.weight.detach().float()[target.where(kept, 0)] * kept).sum()
