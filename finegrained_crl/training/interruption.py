"""SIGINT and SIGTERM: a run that is asked to stop finishes the step under way, saves, and says how to go on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop.

    Attributes:
        signal: SIGINT or SIGTERM.
        advice: how to go on, for the user.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = signal.Signals(number)
        self.advice = ""


class Interruption:
    """Turns the first signal into `Interrupted` at a moment when nothing is half done; the second one acts at once."""

    def __init__(self) -> None:
        self._pending: int | None = None
        self._held = 0
        self._before: dict[signal.Signals, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Interruption:
        """Listen for the signals, in the main thread of this process."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
            self._told_before, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            sys.unraisablehook = self._told_before

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A stretch that is not interrupted; a signal that came meanwhile acts at its end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if not self._held and self._pending is not None:
            raise Interrupted(self._pending)

    def _on_unraisable(self, lost: Any) -> None:
        """A signal that came while Python freed something is dropped there with a traceback; it acts at the end of the
        next held stretch, so nothing was lost and nobody needs to read of it.
        """
        if lost.exc_type is not Interrupted:
            self._told_before(lost)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            # A loader process inherits the handler: its parent decides.
            os._exit(128 + number)
        is_first, self._pending = self._pending is None, number
        if not (self._held and is_first):
            raise Interrupted(number)
