"""The proof in the program: values of calls are followed to their backward pass, and the gradient that arrives at the
logits is compared with the loss's own.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from finegrained_crl.retrofit.account.arrival import Sample, stand_at_logits
from finegrained_crl.retrofit.account.flows import Account
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.misfit import Finding
from finegrained_crl.retrofit.account.streams import Stream
from finegrained_crl.retrofit.running.calls import Call
from finegrained_crl.retrofit.running.chains import Chain
from finegrained_crl.retrofit.sites.settings import Settings


class Proof:
    """What becomes of the values of calls.

    Args:
        settings: of the run.
        ledger: where findings are written.
        account: of backward passes and updates.
        is_crl: the loss has a gradient to compare with.
        refuse: called with a chain and the reason where its value is no loss.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, account: Account, is_crl: bool, refuse: Callable[[Chain, str], None]
    ) -> None:
        self.settings, self.ledger, self.account = settings, ledger, account
        self.is_crl, self._refuse = is_crl, refuse

    def watch(self, stream: Stream, value: Tensor, sample: Sample | None, logits: Any) -> None:
        """Follow a value to its backward pass; `logits` is the node that computed them."""
        try:
            self.account.watch(stream, value, sample, logits)
        except Exception as error:  # an odd tensor must not stop the program; the judge sees no gradient there
            self.ledger.add(stream.row, note=f"its value can't be watched ({type(error).__name__})")

    def sampled(self, chain: Chain, stream: Stream, call: Call, beta: float) -> Sample | None:
        """Keep rows of this call for the comparison at its backward pass, on the first calls and then seldom.

        Args:
            chain, stream, call: of the value.
            beta: of the loss that computes it; 0 is cross-entropy.
        """
        stream.calls += 1
        if not is_sampled(stream.calls) or not self.is_crl or chain.checkpoint:
            return None
        with contextlib.suppress(Exception), torch.no_grad():
            crl = (self.settings.alpha, beta)
            tell = lambda finding: self._proven(stream, finding)  # noqa: E731
            sample = Sample(call.input, call.target, call.options, crl, stream.history, tell)
            stand_at_logits(call.input, sample)
            return sample
        return None

    def ingredient(self, chain: Chain, row: int, text: str) -> None:
        """The value is not used as a loss: say so at once, and go on with the program's own from here."""
        if "ingredient" in self.ledger.rows[row]:
            return
        self.ledger.add(row, ingredient=text)
        if not chain.replace or self.settings.mode != "run":
            return
        after = "goes on, as --lenient asks" if self.settings.lenient else "it stays the program's own from here on"
        print(f"retrofit: {chain.site.facts.place}: {text}; {after}", file=sys.stderr, flush=True)
        if not self.settings.lenient:
            self._refuse(chain, text)

    def _proven(self, stream: Stream, finding: Finding) -> None:
        row = self.ledger.rows[stream.row]
        worst = max(finding.misfit, row.get("misfit", 0.0))
        self.ledger.add(stream.row, misfit=worst, proven=row.get("proven", 0) + 1, proof_rows=finding.rows)
        if finding.kind == "refuse":
            stream.refuse(finding.text)
        elif finding.text:
            self.ledger.add(stream.row, note=finding.text)


def is_sampled(number: int) -> bool:
    """Which calls of a stream are proven: a loss may become another one after a warm-up."""
    return number <= 32 or (number % 10 == 0 if number <= 1000 else number % 100 == 0)
