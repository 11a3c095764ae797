"""Proof in the program: the gradient that arrives at the logits, row by row, against g(p_c) (p - e_c).

A sample of rows is kept of each of the first calls. When the backward pass goes through a loss's value, what arrives
there gives each row its factor; when it reaches the logits, the sum over all losses of these logits must be there. What
is more, or less, is explained by `misfit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.misfit import Finding, History, Rows, judge
from finegrained_crl.retrofit.account.moves import Moves, moved, origin
from finegrained_crl.retrofit.losses.positions import class_last, pick_rows, pick_targets, positions_of

MARK = "fgcrl-arrival"


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

    def __init__(self, number: int, moves: Moves) -> None:
        self.number, self.moves = number, moves
        self.samples: list[Sample] = []

    def __call__(self, gradients: Sequence[Tensor | None]) -> None:
        """Called by the engine with the gradients of all outputs of the node."""
        weighed = [sample for sample in self.samples if sample.factor is not None]
        gradient = gradients[self.number] if self.number < len(gradients) else None
        if not weighed or gradient is None:
            return
        try:
            with torch.no_grad():
                actual = pick_rows(moved(gradient, self.moves), weighed[0].positions)
                finding = judge(actual, [sample.as_rows() for sample in weighed], gradient.dtype)
        except Exception as error:  # the proof must not stop a program: what can't be compared is not compared
            text = f"the gradient at the logits could not be compared ({type(error).__name__}: {str(error)[:100]})"
            finding = Finding("note", 0.0, 0, text)
        for sample in weighed:
            sample.factor = None
            sample.tell(finding)


def stand_at_logits(scores: Tensor, sample: Sample) -> None:
    """Let a sample be compared when the gradient arrives at the logits that the scores were made from.

    Args:
        scores: the input of the loss: logits, reshaped logits, or their log_softmax.
        sample: of that call.
    """
    node, number, moves = origin(scores)
    if node is None:
        return
    arrivals = node.metadata.setdefault(MARK, {})
    place = (number, tuple(scores.shape), tuple(moves))
    if place not in arrivals:
        arrivals[place] = Arrival(number, moves)
        node.register_prehook(arrivals[place])
    arrivals[place].samples.append(sample)


def _divisor(scores: Tensor, target: Tensor, options: Options) -> Tensor | float:
    if options.reduction != "mean":
        return 1.0
    if target.is_floating_point() and target.shape == scores.shape:
        return max(1, scores.numel() // max(1, class_last(scores).shape[-1]))
    kept = target != options.ignore_index
    if options.weight is None:
        return kept.sum()
    return (options.weight.detach().float()[target.where(kept, 0)] * kept).sum()
