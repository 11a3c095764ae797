"""The values of one chain of calls, and where each stands on its way to an update."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from finegrained_crl.retrofit.account.leaves import has_no_gradient, parameters_of
from finegrained_crl.retrofit.account.ledger import COLUMNS, Ledger
from finegrained_crl.retrofit.account.set_by_hand import GradientWatch

LOOKS, LOOK_EVERY = 64, 16  # passes before which a gradient is looked at for zeros by hand: the first, then one of
WALKS = 3  # passes of a chain whose graph is walked
SKIPPED = COLUMNS.index("skipped")


class Follower(Protocol):
    """Is told when a backward pass goes through a value."""

    ledger: Ledger
    unchecked: int

    def passed(self, flow: Flow) -> None:
        """A backward pass goes through it."""


@dataclass
class Stream:
    """What is known about the values of one chain of calls.

    Args:
        row: of the ledger.
        refuse: called with the reason when the value turns out to be an ingredient of another loss.
        is_replaced: its calls compute the other loss; those that the program drops as not finite are told apart.
        is_cut: its passes end at copies of what the program computed (checkpoints), and go on from there.
        is_site: it is of watched calls, and not of another loss.
    """

    row: int
    refuse: Callable[[str], None]
    is_replaced: bool = False
    is_cut: bool = False
    is_site: bool = True
    tries: int = 0
    optimisers: int = 0  # that were made when its graph was walked
    thread: int = field(default_factory=threading.get_ident)
    calls: int = 0
    looks: int = 0  # at its gradient, whether it was set to zero by hand
    walks: int = 0
    to_parameters: bool = True
    parameters: dict[int, Any] = field(default_factory=dict)  # `id` -> weak reference, that its gradients reach
    reached: Any = None  # a weak reference to one of these that a pass ended at
    waiting: list[Flow] = field(default_factory=list)  # passed through since the last update
    history: list[Any] = field(default_factory=list)  # of rows, for the proof
    is_returned: bool = False  # gradients of it were, by `torch.autograd.grad`
    is_credited: bool = False  # an update used gradients of these
    by_hand: bool = False  # its parameters change although no optimiser's step is seen
    before: tuple[Any, Tensor] | None = None
    zeroed: int = 0  # whose gradients were set to zero before any update, since the last one
    watch: GradientWatch | None = None  # from the first of these on
    rested: int = 0  # passes to steps at a learning rate of 0, since its last update
    stretches: int = 0  # since one that was undone
    undone: int = 0  # updates that did not last, and are counted
    undone_after_training: int = 0  # stretches

    def trains(self, parameter: Any) -> bool:
        """Whether its gradients reach this parameter, and none that had its `id` before."""
        reference = self.parameters.get(id(parameter))
        return reference is not None and reference() is parameter

    def has_lost(self, parameter: Tensor) -> bool:
        """Whether its gradient is None, or, zero, which makes a GPU wait: looked at now and then."""
        if parameter.grad is None:
            return True
        self.looks += 1
        is_due = self.looks <= LOOKS or self.looks % LOOK_EVERY == 0
        return is_due and has_no_gradient(parameter)


class Flow:
    """Stands at the node of one call's value until a backward pass goes through."""

    __slots__ = (
        "account",
        "accumulates",
        "is_kept",
        "is_updated",
        "is_waiting",
        "leaves",
        "logits",
        "open",
        "sample",
        "stream",
        "unchecked",
        "value",
    )

    def __init__(self, account: Follower, stream: Stream, value: Tensor, leaves: list[Any] | None, sample: Any) -> None:
        self.account, self.stream = account, stream
        self.logits: Any = None  # the node that computed them, until a pass without a graph of its own
        self.leaves, self.sample = leaves, sample
        self.open, self.unchecked = True, False
        self.is_kept = self.is_updated = self.is_waiting = self.accumulates = False
        self.value = value.detach() if stream.is_replaced and value.dim() == 0 else None

    def __call__(self, gradients: tuple[Tensor | None, ...]) -> None:
        """Called by the engine, with the gradient that arrives at the value."""
        if self.sample is not None and gradients[0] is not None:
            self.sample.weigh(gradients[0])
        if not self.is_updated:
            self.account.passed(self)

    def __del__(self) -> None:
        self.account.unchecked -= self.unchecked
        # A value that the program drops because it is not finite says nothing about training or evaluation.
        if self.open and self.value is not None:
            with contextlib.suppress(Exception):
                if not math.isfinite(self.value.item()):
                    self.account.ledger.count(self.stream.row, SKIPPED)


class Owners:
    """Remembers by `id`, which a new object may have again, who holds what the gradients of streams reach."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], bool] = {}

    def owns(self, owner: Any, stream: Stream) -> bool:
        """Whether an optimiser, or a module, holds parameters that the stream's gradients reach."""
        if not stream.parameters:
            return True
        key = (id(owner), id(stream))
        if key not in self._known or stream.walks < WALKS:
            self._known[key] = any(map(stream.trains, parameters_of(owner)))
        return self._known[key]
