"""Where criteria are built, and which of them a call uses."""

from __future__ import annotations

import sys
import weakref
from types import FrameType
from typing import Any

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.running.frames import Frames
from finegrained_crl.retrofit.sites.place import Place


class Constructions:
    """Counts criteria by the line that builds them.

    Args:
        frames: tells the program's frames from others.
        ledger: where the counts go.
    """

    def __init__(self, frames: Frames, ledger: Ledger) -> None:
        self._frames, self._ledger = frames, ledger
        self._places: weakref.WeakKeyDictionary[Any, Place] = weakref.WeakKeyDictionary()

    def built(self, module: Any) -> None:
        """The hook of the constructors; a subclass's own `__init__` is not the place, its caller is."""
        frame: FrameType | None = sys._getframe(3)
        while frame is not None and (
            _initialises(frame, module) or frame.f_code.co_qualname.startswith("__create_fn__")
        ):
            # A subclass's `__init__`, and the one that `dataclass` writes, stand in no line of the program.
            frame = frame.f_back
        if self._frames.chain(frame) is None:
            return  # one of our own losses
        frames = self._frames.frames(frame)
        if frames:
            place = self._frames.place_of(frames[0][1])
            self._places[module] = place
            self._ledger.count(
                self._ledger.row(
                    kind="construction", site=str(place), function=place.function, loss=type(module).__name__
                )
            )

    def place_of(self, module: object) -> Place | None:
        """The line that built a criterion, where it was seen."""
        try:
            return self._places.get(module)
        except TypeError:
            return None


def _initialises(frame: FrameType, module: object) -> bool:
    return frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is module
