"""Does what a chain of calls trained last? An evaluation may fine-tune a network, and put its state back.

A stretch is the passes of one chain that no other chain's come between. Where a parameter that its updates changed is,
at its end, what it was at its first pass, to the bit, nothing of it lasts. A search for a learning rate is like that,
too: before anything was trained, and once later on, where training follows. Where it is what it was after one of the
stretch's own updates, those after that are told, as bad epochs are taken back like that, too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from finegrained_crl.retrofit.account.leaves import few_values, is_as_before, is_changed, remembered
from finegrained_crl.retrofit.account.ledger import COLUMNS, Ledger
from finegrained_crl.retrofit.account.streams import Stream

KEPT = 256  # updates of a stretch whose values are remembered, the last ones
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
    values: deque[tuple[int, Tensor]] = field(default_factory=lambda: deque(maxlen=KEPT))  # after so many of these


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
        self._taken_back: dict[int, int] = {}  # row -> updates that were undone since the last one

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
        self._tell_taken_back()
        now = self._now
        if now is not None and now.stream is stream and now.start is not None:
            now.updates += passes
            now.has_moved = now.has_moved or is_changed(now.start)
            if (parameter := now.start[0]()) is not None:
                now.values.append((now.updates, few_values(parameter)))

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
            if parameter in self._trained:
                self._taken_back[stream.row] = now.updates
            if stream.undone_after_training > 1:
                self._take_off(stream)
        elif parameter is not None:
            self._trained[parameter] = None
            if undone := now.updates - _lasting(now, few_values(parameter)):
                self._taken_back[stream.row] = undone
                stream.stretches = 0

    def finish(self) -> None:
        """The program ends: no training follows any more."""
        self.end()
        if self._undone is not None and self._undone.undone_after_training:
            self._take_off(self._undone)

    def _tell_taken_back(self) -> None:
        for row, updates in self._taken_back.items():
            self._ledger.add(row, undone=self._ledger.rows[row].get("undone", 0) + updates)
        self._taken_back.clear()

    def _take_off(self, stream: Stream) -> None:
        self._ledger.count(stream.row, UPDATED, -stream.undone)
        stream.undone = 0


def _lasting(stretch: Stretch, values: Tensor) -> int:
    """After how many of its updates a parameter had the values that it has now; all of them where after none."""
    if not stretch.values or torch.equal(stretch.values[-1][1], values):
        return stretch.updates
    return next((updates for updates, then in reversed(stretch.values) if torch.equal(then, values)), stretch.updates)
