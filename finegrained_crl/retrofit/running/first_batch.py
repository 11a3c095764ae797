"""The first batch of a site: values under both losses, and whether the gradient really is CE's times the gain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from finegrained_crl.retrofit.losses.gain import measure
from finegrained_crl.retrofit.losses.replacement import Replacement
from finegrained_crl.retrofit.running.calls import Call
from finegrained_crl.retrofit.sites.rows import Measured
from finegrained_crl.retrofit.sites.settings import Settings


class FirstBatch:
    """Measures the loss that runs against the one that ran.

    Args:
        settings: alpha and beta.
        replacement: what runs.
        computing: a context in which no call is a site.
    """

    def __init__(
        self, settings: Settings, replacement: Replacement, computing: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._settings, self._replacement, self._computing = settings, replacement, computing

    def measured(self, call: Call) -> Measured:
        """The facts for the receipt; `not_measured` says why there are none.

        Done in a thread of its own: what the program has switched on around its loss is per thread, and must not see
        our batch. Activation checkpointing counts the tensors that are saved, selective checkpointing and profilers
        every operation.
        """
        facts: Measured = {}
        stream = torch.cuda.current_stream(call.input.device) if call.input.is_cuda else None

        def work() -> None:
            try:
                with self._computing(), torch.cuda.stream(stream):
                    facts.update(self._facts(call))
            except Exception as error:
                facts["not_measured"] = f"{type(error).__name__}: {str(error)[:200]}"

        thread = threading.Thread(target=work, name="fgcrl-retrofit")
        thread.start()
        thread.join()
        return facts

    def _facts(self, call: Call) -> Measured:
        gain = (self._settings.alpha, self._settings.beta) if self._replacement.is_crl else None
        return measure(
            call.input,
            call.target,
            lambda z, y, how: call.other(self._replacement, call.as_scores(z), y, how),
            lambda z, y, how: call.own(call.as_scores(z), y, how),
            call.reduction,
            gain,
            (call.weight, call.ignore_index, call.smoothing),
        )
