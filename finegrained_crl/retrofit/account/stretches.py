"""Does what a chain of calls trained last? An evaluation may fine-tune a network, and put its state back.

A stretch is the passes of one chain that no other chain's come between. Where a parameter that its updates changed is,
at its end, what it was at its first pass, to the bit, nothing of it lasts. A search for a learning rate is like that,
too: before anything was trained, and once later on, where training follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from finegrained_crl.retrofit.account.leaves import is_as_before, is_changed, remembered
from finegrained_crl.retrofit.account.ledger import COLUMNS, Ledger
from finegrained_crl.retrofit.account.streams import Stream

LOOKS = 64  # stretches of a chain one after another that last, and are looked at
UPDATED, ZEROED = (COLUMNS.index(name) for name in ("updated", "zeroed"))


@dataclass
class Stretch:
    """Passes of one chain, in one process, from a parameter's values on."""

    stream: Stream
    start: tuple[Any, Tensor] | None
    generation: int
    updates: int = 0  # passes that took part in them
    has_moved: bool = False


class Stretches:
    """Takes updates that did not last off the counters again.

    Args:
        ledger: where they are counted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._now: Stretch | None = None
        self._trained = WeakIdKeyDictionary()  # parameters with updates that lasted
        self._undone: Stream | None = None  # that no update came after

    def passed(self, stream: Stream) -> None:
        """A backward pass goes through a value of this chain."""
        if self._now is not None and self._now.stream is stream:
            return
        self.end()
        stream.stretches += 1
        start = remembered(stream.reached) if stream.stretches <= LOOKS else None
        self._now = Stretch(stream, start, self._ledger.generation)

    def updated(self, stream: Stream, passes: int) -> None:
        """Gradients of this many of its passes took part in an update."""
        if stream.is_credited:  # else a warm-up's first steps
            self._ledger.count(stream.row, ZEROED, stream.rested)
        stream.rested = 0
        self._undone = None
        now = self._now
        if now is not None and now.stream is stream and now.start is not None:
            now.updates += passes
            now.has_moved = now.has_moved or is_changed(now.start)

    def rested(self, stream: Stream, passes: int) -> None:
        """The step that this many of its passes led to had a learning rate of 0."""
        stream.rested += passes

    def end(self) -> None:
        """Another chain's pass begins, or a state was loaded."""
        now, self._now = self._now, None
        if now is None or now.start is None or not now.has_moved or now.generation != self._ledger.generation:
            return
        parameter, stream = now.start[0](), now.stream
        if parameter is not None and is_as_before(now.start):
            stream.stretches = 0
            stream.undone += now.updates
            stream.undone_after_training += parameter in self._trained
            self._undone = stream
            if stream.undone_after_training > 1:
                self._take_off(stream)
        elif parameter is not None:
            self._trained[parameter] = None

    def finish(self) -> None:
        """The program ends: no training follows any more."""
        self.end()
        if self._undone is not None and self._undone.undone_after_training:
            self._take_off(self._undone)

    def _take_off(self, stream: Stream) -> None:
        self._ledger.count(stream.row, UPDATED, -stream.undone)
        stream.undone = 0
