"""With `patch --check`: every value that our losses compute, in order, in a patched and in a retrofitted program."""

from __future__ import annotations

import struct
import threading
from typing import Any

from torch import Tensor

from finegrained_crl.losses import competing_ratio
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.losses import replacement
from finegrained_crl.retrofit.running.bits import VALUES, end_process
from finegrained_crl.retrofit.running.injection import inject
from finegrained_crl.retrofit.sites.settings import Settings


class Recorder:
    """Writes values down, and ends the process after the asked number of them.

    Args:
        settings: their number of steps.
        ledger: where the values go.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._steps, self._ledger = settings.steps, ledger
        self._values: list[list[str]] = []

    def start(self) -> None:
        """Hook the two functions that every CRL of a patched or a retrofitted program goes through."""
        for function in (competing_ratio.ratio_loss, replacement.log_probability_loss):
            inject(function, lambda *_: (None, None), "_fgcrl_recorded", self._seen)

    def _seen(self, value: Any, _: Any) -> Any:
        # Our own measurement of the first batch has a thread of its own.
        if isinstance(value, Tensor) and threading.current_thread().name != "fgcrl-retrofit":
            flat = value.detach().double().flatten()[:VALUES].tolist()
            self._values.append([struct.pack(">d", number).hex() for number in flat])
            self._ledger.state(recorded=self._values)
            if len(self._values) >= self._steps:
                end_process()
        return value
