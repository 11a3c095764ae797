"""With --verify: the bits of the losses, written down, and the end of the process after the asked number of them."""

from __future__ import annotations

import os
import struct
import sys

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.streams import Stream
from finegrained_crl.retrofit.running.calls import Call
from finegrained_crl.retrofit.sites.settings import Settings

VALUES = 64  # of one loss per row; more prove nothing more


class Bits:
    """Writes values into the rows.

    Args:
        settings: their mode and number of steps.
        ledger: where the rows are.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger

    def watched(self, stream: Stream, call: Call) -> None:
        """In watch mode, note what the untouched loss gives where the run will replace it."""
        if self._settings.mode == "watch":
            with torch.no_grad():
                self.write_down(stream.row, call.own(call.input.detach(), call.target, call.reduction))

    def write_down(self, row: int, value: Tensor) -> None:
        """Append the value's bits; after the asked number of them the process ends."""
        if not self._settings.steps or self._settings.mode == "learn":
            return
        values = self._ledger.rows[row].setdefault("values", [])
        values.append([struct.pack(">d", v).hex() for v in value.detach().double().flatten()[:VALUES].tolist()])
        self._ledger.save()
        if len(values) >= self._settings.steps:
            end_process()


def end_process() -> None:
    """End this process at once, as if the program had come to its end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
