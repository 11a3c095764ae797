"""Which calls did a backward pass go through, and which took part in an update of parameters?

A hook sits on the graph node of each call's value; it costs some microseconds. Whether the pass reached parameters
(training) or stopped at the pictures (an attack, a saliency map) is asked on the first passes of each chain of calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.asked import Asked
from finegrained_crl.retrofit.account.leaves import (
    are_finite,
    is_at_rest,
    is_changed,
    leaves_of,
    parameters_of,
    reached_parameter,
    reaches_parameters,
    remembered,
    trained_by,
)
from finegrained_crl.retrofit.account.ledger import COLUMNS, Ledger
from finegrained_crl.retrofit.account.passes import Passes, node_of
from finegrained_crl.retrofit.account.returned import mark_what_is_read
from finegrained_crl.retrofit.account.set_by_hand import GradientWatch
from finegrained_crl.retrofit.account.streams import WALKS, Flow, Owners, Stream
from finegrained_crl.retrofit.account.stretches import Stretches
from finegrained_crl.retrofit.account.unseen import Start, Unseen
from finegrained_crl.retrofit.account.uses import LOGITS, MARK, uses_of_values
from finegrained_crl.retrofit.account.values import Values

TRIES = 20  # calls of a chain whose graph is walked at most, where no backward pass comes
OF_COPIES = "differentiated by torch.func: whether its gradients take part in updates is not seen"
NO_PASS = -1  # number of the backward pass that runs, where none does
WAITING = 2048  # passes that are kept until an update
FLOWED, UPDATED, ZEROED = (COLUMNS.index(name) for name in ("flowed", "updated", "zeroed"))


class Account:
    """Backward passes and updates of one process.

    Args:
        ledger: where they are counted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.after_update: Callable[[], None] | None = None
        self._waiting: dict[int, Stream] = {}
        self.unchecked = 0
        self._owners = Owners()
        self._stepped = False
        self._is_in_step = False
        self._accumulates = True
        self._is_outer = False  # the pass that runs returns gradients, and goes through those of other values
        self._goes_on = False  # the pass that begins goes on with gradients of watched values
        self._optimisers = 0
        self._passes, self._asked = Passes(), Asked()
        self.values = Values(ledger)
        self.stretches = Stretches(ledger)
        self.unseen = Unseen(self, ledger)

    def watch(self, stream: Stream, value: Tensor, sample: Any = None, logits: Any = None) -> None:
        """Follow the value of a call; does nothing where no gradient can flow.

        Args:
            stream, value: of the call.
            sample: of its rows, for the proof.
            logits: the node that computed what it was called with.
        """
        node: Any = value.grad_fn
        if node is None:
            return
        # `torch.func.grad` differentiates copies: what becomes of its gradients is not seen.
        is_of_copies = torch._C._functorch.is_functorch_wrapped_tensor(value)
        leaves, logits = None, None if is_of_copies else logits
        if is_of_copies and "note" not in self.ledger.rows[stream.row]:
            self.ledger.add(stream.row, note=OF_COPIES)
        if stream.optimisers != self._optimisers:
            stream.optimisers = self._optimisers
            stream.walks = stream.tries = 0
        if stream.walks < WALKS and stream.tries < TRIES and not is_of_copies:
            stream.tries += 1
            leaves = leaves_of(node)
            stream.parameters |= trained_by(leaves, None if stream.is_cut else node)
            self.unseen.others.know(stream, logits or node)
        flow = Flow(self, stream, value, leaves, sample)
        flow.logits = logits
        if logits is not None:
            logits.metadata[LOGITS] = True
        flow.unchecked = leaves is not None or sample is not None
        self.unchecked += flow.unchecked
        node.metadata[MARK] = flow
        node.register_prehook(flow)

    def passed(self, flow: Flow) -> None:
        """A backward pass goes through a value."""
        stream = flow.stream
        if flow.leaves is not None:
            stream.walks += flow.open
            stream.to_parameters = reaches_parameters(flow.leaves)
            stream.reached = reached_parameter(flow.leaves) or stream.reached
        if flow.leaves is not None or not (stream.is_credited or stream.by_hand):
            self._compare_by_hand(stream)
            stream.before = remembered(stream.reached)
        if stream.is_site:
            self.stretches.passed(stream)
        # A gradient that has a graph of its own (`create_graph`) is part of a loss that is trained on.
        flow.is_kept = flow.is_kept or self._is_outer or torch.is_grad_enabled()
        self._mark_returned(flow)
        self._asked.passed(flow)
        if stream.to_parameters or flow.is_kept:
            self._wait(flow)
            if stream.by_hand:
                self._credit(stream)

    def _wait(self, flow: Flow) -> None:
        stream = flow.stream
        if flow.open:
            self.ledger.count(stream.row, FLOWED)
            flow.open = False
        if not flow.is_waiting:
            flow.is_waiting = True
            stream.waiting.append(flow)
        self._waiting[id(stream)] = stream
        if len(stream.waiting) > WAITING:  # a program whose updates are not seen
            del stream.waiting[: WAITING // 2]

    def backward_starts(
        self, roots: Any, accumulates: bool = True, given: Sequence[Any] = (), asked: Sequence[Any] = ()
    ) -> None:
        """Before a backward pass: look at the way from its roots to values that were not looked at.

        Args:
            roots, given: of the pass, and the gradients that it starts from.
            accumulates: it leaves gradients in parameters, and does not return them (`torch.autograd.grad`).
            asked: the tensors that it returns gradients of.
        """
        self.values.passes()
        self._asked.starts(asked)
        roots = roots if isinstance(roots, tuple | list) else (roots,)
        is_inside = torch._C._current_graph_task_id() != NO_PASS
        goes_on, self._goes_on = is_inside or self._goes_on, False
        if not goes_on:  # else gradients are still on their way: a checkpoint's, or features'
            for stream in list(self._waiting.values()):
                self._find_removed(stream)
        reads = mark_what_is_read(self._waiting.values(), map(node_of, roots), None if accumulates else MARK)
        self._accumulates, self._is_outer = accumulates or reads, reads and not accumulates
        if not (due := self._passes.due(roots)) and not self.unchecked:
            return
        uses = uses_of_values(roots)
        self.unseen.look(uses, Start(roots, given, goes_on, 0 if reads else due))
        for flow, reason in uses.values:
            if not flow.unchecked:
                continue
            flow.unchecked = False
            self.unchecked -= 1
            if reason:
                flow.stream.refuse(reason)

    def handed_on(self, gradients: Iterable[Tensor], roots: Iterable[Any] = ()) -> None:
        """Before a backward pass that starts from these gradients, which earlier passes computed, of any leaves."""
        if torch._C._current_graph_task_id() != NO_PASS:
            return  # a checkpoint's, which goes on with the pass that it stands in
        for flow in self._asked.goes_on(roots):
            self._goes_on = True
            self._wait(flow)
        shapes = {gradient.shape for gradient in gradients}
        for stream in self._waiting.values():
            for flow in stream.waiting:
                flow.accumulates = True
            leaf = stream.reached() if stream.reached is not None else None
            if leaf is not None and not isinstance(leaf, torch.nn.Parameter) and leaf.shape in shapes:
                stream.parameters.clear()
            self._goes_on = self._goes_on or not stream.parameters

    def optimiser_made(self, *_: Any) -> None:
        """Before an optimiser is built: the next fold, or stage, trains another network by the same lines."""
        self._owners = Owners()
        self._optimisers += 1
        self._passes = Passes()

    def step_starts(self, *_: Any) -> None:
        """Before an optimiser's step, which may ask for the loss several times (a closure, as LBFGS does)."""
        self._is_in_step = True

    def updated(self, optimizer: Any, *_: Any) -> None:
        """After an optimiser's step."""
        self._is_in_step = False
        self.values.steps()
        if not self._stepped:
            self._stepped = True
            self.ledger.state(stepped=True)
        rests = is_at_rest(optimizer)
        for stream in list(self._waiting.values()):
            if self._owners.owns(optimizer, stream):
                stream.before = None  # what changes from here on was changed by the optimiser
                self._rest(stream) if rests else self._count_step(optimizer, stream)
        if self.after_update is not None and not rests:
            self.after_update()

    def zeroed(self, owner: Any) -> None:
        """Before gradients are set to zero: what was not used by now is lost, unless parameters changed by hand."""
        for stream in list(self._waiting.values()):
            if stream.parameters and self._owners.owns(owner, stream):
                self._compare_by_hand(stream)
                unused = [flow for flow in stream.waiting if flow.accumulates and not flow.is_kept]
                # Gradients that overflowed are thrown away by every scaler.
                if unused and not self._is_in_step and are_finite(owner):
                    self._count_unused(stream, len(unused))
                self._lose(stream, unused)

    def _find_removed(self, stream: Stream) -> None:
        """A parameter without a gradient, although a pass went to it: the program has removed it by hand."""
        parameter = stream.reached() if stream.reached is not None else None
        is_elsewhere = stream.thread != threading.get_ident()  # where its passes may be on their way
        if parameter is None or self._is_in_step or is_elsewhere or not stream.has_lost(parameter):
            return
        self._compare_by_hand(stream)
        unused = [flow for flow in stream.waiting if flow.accumulates and not flow.is_kept]
        if unused:
            self._count_unused(stream, len(unused))
            self._lose(stream, unused)

    def _rest(self, stream: Stream) -> None:
        self.stretches.rested(stream, len(stream.waiting))
        self._lose(stream, list(stream.waiting))

    def _lose(self, stream: Stream, flows: list[Flow]) -> None:
        """The gradients of these are gone."""
        for flow in flows:
            flow.is_waiting = False
        self._forget(stream, [flow for flow in stream.waiting if flow.is_waiting])

    def _count_unused(self, stream: Stream, passes: int) -> None:
        self.ledger.count(stream.row, ZEROED, passes)
        stream.zeroed += passes
        self._watch_gradient(stream)

    def _watch_gradient(self, stream: Stream) -> None:
        parameter = stream.reached() if stream.reached is not None else None
        if stream.watch is None and parameter is not None:
            stream.watch = GradientWatch(parameter)

    def _mark_returned(self, flow: Flow) -> None:
        """Whether a pass leaves gradients, and what is needed to see whether returned ones are used."""
        flow.accumulates = flow.accumulates or self._accumulates or (flow.is_kept and flow.logits is None)
        if not flow.is_kept:
            flow.logits = None
        if not flow.accumulates:
            flow.stream.is_returned = True
            self._watch_gradient(flow.stream)
        if flow.stream.watch is not None:
            flow.stream.watch.is_own = True

    def _count_step(self, optimizer: Any, stream: Stream) -> None:
        """Gradients that were returned took part in a step where they were added to those that the engine left, or
        (which `_credit` asks) are in their place.
        """
        returned, watch = [flow for flow in stream.waiting if not flow.accumulates], stream.watch
        if returned and watch is not None and not watch.is_added_to():
            if not any(parameter is watch.parameter for parameter in parameters_of(optimizer)):
                return  # those of another optimiser, which are set later
            self._count_unused(stream, len(returned))
            self._lose(stream, returned)
        self._credit(stream)

    def _credit(self, stream: Stream) -> None:
        if stream.watch is not None and stream.watch.is_set_by_hand():
            self.ledger.count(stream.row, ZEROED, -stream.zeroed)
            self.ledger.count(stream.row, UPDATED, stream.zeroed)
        stream.zeroed = 0
        self.ledger.count(stream.row, UPDATED, len(stream.waiting))
        self.stretches.updated(stream, len(stream.waiting))
        stream.is_credited = stream.is_credited or bool(stream.waiting)
        for flow in stream.waiting:
            flow.is_updated = True
        self._forget(stream, [])

    def _forget(self, stream: Stream, kept: list[Flow]) -> None:
        stream.waiting = kept
        if not kept:
            self._waiting.pop(id(stream), None)

    def _compare_by_hand(self, stream: Stream) -> None:
        """A parameter that changed since the pass was updated by the program's own arithmetic."""
        if stream.before is None or not stream.waiting:
            return
        before, stream.before = stream.before, None
        if is_changed(before):
            stream.by_hand = True
            self._credit(stream)
